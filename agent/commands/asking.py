"""Gives orders to the rules, and waits for what they make of them: they answer by an event that quotes its origin."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agent.events import Event, Kind
from agent.rules.step import Order
from drivers.base import Clock

ANSWER_S: Final = 2.0
"""Rules answer within milliseconds; one that has failed never does."""
_DONE: Final = frozenset({Kind.ACCESS_GRANTED, Kind.ORDER_DONE})


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` says why not; None with `done` False is no answer at all."""

    done: bool
    reason: str | None = None


class Asking:
    """`order` puts it before the rules; it raises KeyError where no rule takes it."""

    def __init__(self, order: Callable[[Order], None], clock: Clock) -> None:
        self._order = order
        self._clock = clock
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer]] = {}

    async def ask(self, order: Order) -> Answer:
        """Raises: KeyError."""
        place = (order.door, order.origin)
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[place] = done
        try:
            self._order(order)
            async with self._clock.timeout(ANSWER_S):
                return await done
        except TimeoutError:
            return Answer(False)
        finally:
            del self._waiting[place]

    def heard(self, event: Event) -> None:
        """Every event that is recorded."""
        if not self._waiting or event.kind not in (*_DONE, Kind.ORDER_REFUSED):
            return
        waiting = self._waiting.get((event.subject, str(event.data.get("origin"))))
        if waiting is not None and not waiting.done():
            reason = event.data.get("reason")
            waiting.set_result(Answer(event.kind in _DONE, None if reason is None else str(reason)))
