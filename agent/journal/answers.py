"""From the journal's thread back into the loop: what somebody awaits, and what ended the thread."""

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from drivers.base import GatehouseError

Answer: TypeAlias = Callable[[], None]
Result = TypeVar("Result")


def answer(done: "Future[Result]", result: Result | GatehouseError) -> Answer:
    """To be called in the loop; whoever was cancelled hears nothing."""

    def tell() -> None:
        if done.done():
            return
        if isinstance(result, GatehouseError):
            done.set_exception(result)
        else:
            done.set_result(result)

    return tell


class Carried:
    """Carries what ends the thread into the loop, to whoever awaits `ended`."""

    def __init__(self, loop: AbstractEventLoop, ended: "Future[None]") -> None:
        self._loop = loop
        self._ended = ended

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, err: BaseException | None, _trace: object) -> bool:
        if err is None:
            self._loop.call_soon_threadsafe(self._ended.set_result, None)
        else:
            self._loop.call_soon_threadsafe(self._ended.set_exception, err)
        return True
