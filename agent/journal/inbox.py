"""What the loop hands to the journal's thread, and what the thread reports back.

`Inbox` is all the two share, under its one condition; nothing here does I/O.
"""

import threading
from asyncio import Future
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agent.events import Lane
from agent.journal.entry import Birth, Draft, Entry, Health, LaneState
from agent.journal.renewal import Renewal

Waiting: TypeAlias = tuple[Draft, "Future[Entry] | None"]
Answer: TypeAlias = Callable[[], None]
Place: TypeAlias = tuple[Lane, int, bytes | None]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Of all places or of none; one of an epoch that has ended says nothing."""

    epoch: str
    places: tuple[Place, ...]
    done: "Future[None]"


@dataclass(frozen=True, slots=True)
class Question:
    lane: Lane
    after: int
    limit: int
    max_bytes: int
    done: "Future[tuple[Entry, ...]]"


@dataclass(frozen=True, slots=True)
class Report:
    """What a round did: committed states, health, futures to resolve in the loop, how many drafts are settled.

    `written` are the entries they became; `birth` that of the epoch which has begun.
    """

    states: dict[Lane, LaneState] | None
    health: Health
    answers: tuple[Answer, ...] = ()
    settled: int = 0
    written: tuple[Entry, ...] = ()
    birth: Birth | None = None


@dataclass(slots=True)
class Inbox:
    changed: threading.Condition = field(default_factory=threading.Condition)
    drafts: deque[Waiting] = field(default_factory=deque)
    confirmations: deque[Confirmation] = field(default_factory=deque)
    questions: deque[Question] = field(default_factory=deque)
    renewals: deque[Renewal] = field(default_factory=deque)
    closing: bool = False

    def put(self, draft: Draft, done: "Future[Entry] | None") -> None:
        with self.changed:
            self.drafts.append((draft, done))
            self.changed.notify()

    def ask(self, question: Question) -> None:
        with self.changed:
            self.questions.append(question)
            self.changed.notify()

    def confirm(self, confirmation: Confirmation) -> None:
        with self.changed:
            self.confirmations.append(confirmation)
            self.changed.notify()

    def renew(self, renewal: Renewal) -> None:
        with self.changed:
            self.renewals.append(renewal)
            self.changed.notify()

    def close(self) -> None:
        """Write what waits, then end."""
        with self.changed:
            self.closing = True
            self.changed.notify()

    def holds_work(self) -> bool:
        return bool(self.drafts or self.questions or self.confirmations or self.renewals)

    def waiting(self) -> "list[Future[Any]]":
        """Who waits for an answer."""
        found: list[Future[Any]] = [done for _, done in self.drafts if done is not None]
        found += [asked.done for asked in self.confirmations]
        found += [asked.done for asked in self.questions]
        found += [asked.done for asked in self.renewals]
        return found
