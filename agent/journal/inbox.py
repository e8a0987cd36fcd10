"""What the loop hands to the journal's thread, and what the thread reports back.

`Inbox` is all the two share, under its one condition; nothing here does I/O.
"""

import threading
from asyncio import Future
from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agent.events import Lane
from agent.journal.answers import Answer
from agent.journal.entry import Birth, Draft, Entry, Health, LaneState
from agent.journal.renewal import Renewal

Waiting: TypeAlias = tuple[Draft, "Future[Entry] | None"]
Place: TypeAlias = tuple[Lane, int, bytes | None]


ENOUGH = 1000
"""So much telemetry waits for nothing any more."""


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
class PictureQuestion:
    name: str
    done: "Future[bytes | None]"


@dataclass(frozen=True, slots=True)
class Picture:
    """To be on disk before `draft`, which names it, becomes an entry."""

    jpeg: bytes
    draft: Draft
    done: "Future[Entry]"


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
    questions: deque[Question | PictureQuestion] = field(default_factory=deque)
    pictures: deque[Picture] = field(default_factory=deque)
    renewals: deque[Renewal] = field(default_factory=deque)
    closing: bool = False
    damage: str = ""
    """What the check of the whole file has found."""
    pressing: int = 0
    """How many of the drafts are more than telemetry that nobody waits for."""

    def put(self, draft: Draft, done: "Future[Entry] | None") -> None:
        with self.changed:
            self.drafts.append((draft, done))
            if _presses(draft, done):
                self.pressing += 1
                self.changed.notify()
            elif len(self.drafts) in (1, ENOUGH):
                self.changed.notify()

    def take(self, rows: int, size: int) -> list[Waiting]:
        """The first of the drafts, up to so many and so many bytes. Under the condition."""
        taken: list[Waiting] = []
        while self.drafts and len(taken) < rows and size > 0:
            waiting = self.drafts.popleft()
            size -= len(waiting[0].body)
            self.pressing -= _presses(*waiting)
            taken.append(waiting)
        return taken

    def put_picture(self, picture: Picture) -> None:
        with self.changed:
            self.pictures.append(picture)
            self.changed.notify()

    def ask(self, question: Question | PictureQuestion) -> None:
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

    def found_damage(self, reason: str) -> None:
        with self.changed:
            self.damage = reason
            self.changed.notify()

    def commits(self) -> bool:
        """There is work that ends in a commit at once; whatever waits goes with it."""
        return bool(self.pressing or len(self.drafts) >= ENOUGH or self.pictures or self.renewals or self.closing)

    def presses(self) -> bool:
        """The thread is wanted now."""
        return self.commits() or bool(self.questions or self.damage)

    def holds_work(self) -> bool:
        return bool(self.drafts or self.pictures or self.questions or self.confirmations or self.renewals)

    def waiting(self) -> "list[Future[Any]]":
        """Who waits for an answer."""
        found: list[Future[Any]] = [done for _, done in self.drafts if done is not None]
        found += [given.done for given in self.pictures]
        found += [asked.done for asked in self.confirmations]
        found += [asked.done for asked in self.questions]
        found += [asked.done for asked in self.renewals]
        return found


def _presses(draft: Draft, done: "Future[Entry] | None") -> bool:
    return done is not None or draft.lane is not Lane.TELEMETRY
