"""Work that may block, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from drivers.base import GatehouseError

T = TypeVar("T")


async def in_thread(name: str, work: Callable[[], T]) -> T:
    """What `work` returns, or the GatehouseError that it raises.

    A thread that hangs with its disk holds up nobody, not even the end of the process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        outcome = partial(done.set_exception, RuntimeError(f"the thread {name} failed, see the log above"))
        try:
            outcome = partial(done.set_result, work())
        except GatehouseError as err:
            outcome = partial(done.set_exception, err)
        finally:
            with suppress(RuntimeError):  # the loop is gone; nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
