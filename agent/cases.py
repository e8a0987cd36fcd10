"""Alarms and how far the centre is with each (事件处置): received, dispatched, resolved. Closes the loop at this end.

An alarm that nobody has acknowledged in time is told again, and may raise an output here. Of silent kinds nothing shows
or sounds here. Kept in a small file that no alarm waits for; belongs to the loop, which only `run` leaves, in a thread.
"""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from agent.blocking import in_thread
from agent.contract.commands import Handled
from agent.events import CATALOGUE, RESTORES, Event, JsonValue, Kind, Lane
from agent.files import locked, write_whole
from agent.journal import Birth, Entry
from agent.rules.step import Order, Verb
from agent.settings import Handling
from drivers.base import Clock, ConfigError

_log = logging.getLogger(__name__)
FILE: Final = "alarms.json"
KEPT: Final = 500
LOOK_S: Final = 1.0
ORIGIN: Final = "handling"
_RANK: Final = {None: 0, Handled.RECEIVED: 1, Handled.DISPATCHED: 2, Handled.RESOLVED: 3}
_REMINDERS: Final = (Kind.UNACKNOWLEDGED, Kind.UNACKNOWLEDGED_SILENT)


@dataclass(frozen=True, slots=True)
class Case:
    """One alarm; `since_s` is when it was raised or last told again, in the uptime of `boot`."""

    event: Annotated[str, Field(pattern=r"^[^/]+/[a-z]+/[0-9]+$")]
    kind: Kind
    subject: str
    boot: str
    since_s: float
    state: Handled | None = None
    note: str = ""
    reminded: int = 0

    @property
    def silent(self) -> bool:
        return CATALOGUE[self.kind].silent

    @property
    def overdue(self) -> bool:
        return self.state is None and self.reminded > 0


class Cases:
    """`epoch` names the journal's, `record` takes a reminder, `order` switches the output."""

    def __init__(
        self,
        settings: Handling,
        folder: Path,
        clock: Clock,
        boot: str,
        *,
        epoch: Callable[[], str],
        record: Callable[[Event], None],
        order: Callable[[Order], None],
    ) -> None:
        self._settings = settings
        self._path = folder / FILE
        self._clock = clock
        self._boot = boot
        self._epoch = epoch
        self._record = record
        self._order = order
        self._raised = False
        self._changed = False
        now_s = clock.mono_s()
        read = [case if case.boot == boot else replace(case, boot=boot, since_s=now_s) for case in _kept(self._path)]
        self._cases = {case.event: case for case in read}
        self._renamed: dict[str, str] = {}
        """Of alarms that have another number in a later epoch of this run: the former one, and today's."""

    def committed(self, entries: Sequence[Entry]) -> None:
        """What the journal has written: alarms are waited for."""
        for entry in entries:
            if entry.lane is Lane.ALARM and entry.kind in CATALOGUE:
                kind = Kind(entry.kind)
                if kind not in RESTORES and kind not in _REMINDERS:
                    event = f"{self._epoch()}/{entry.lane}/{entry.sequence}"
                    subject = str(json.loads(entry.body).get("subject", ""))
                    self._put(Case(event, kind, subject, self._boot, self._clock.mono_s()))

    def handle(self, event: str, state: Handled, note: str) -> Handled | None:
        """The state it is in now; it never goes back. None when no such alarm is kept here."""
        case = self._cases.get(self._renamed.get(event, event))
        if case is None:
            return None
        if _RANK[state] > _RANK[case.state]:
            case = replace(case, state=state, note=note)
            self._put(case)
        return case.state

    def renewed(self, birth: Birth) -> None:
        """The journal has entered again what is not confirmed: the centre may speak of it under either number."""
        tail = birth.tails.get(Lane.ALARM)
        if tail is None:
            return
        names: dict[str, str] = {}
        for event in self._cases:
            place, _, sequence = event.rpartition("/")
            if place == f"{birth.previous}/{Lane.ALARM}" and int(sequence) > tail.confirmed:
                names[event] = f"{birth.epoch}/{Lane.ALARM}/{int(sequence) - tail.confirmed}"
        cases = [replace(case, event=names.get(event, event)) for event, case in self._cases.items()]
        self._cases = {case.event: case for case in cases}
        former = {old: names.get(new, new) for old, new in self._renamed.items()} | names
        self._renamed = {old: new for old, new in former.items() if new in self._cases}
        self._changed = True

    def snapshot(self) -> list[JsonValue]:
        """For `gatehouse status`: what is being handled, and what is overdue; nothing silent."""
        shown = [case for case in self._cases.values() if not case.silent and case.state is not Handled.RESOLVED]
        return [
            {"event": case.event, "kind": case.kind.value, "subject": case.subject, "note": case.note,
             "state": None if case.state is None else case.state.value}
            for case in shown if case.state is not None or case.overdue
        ]  # fmt: skip

    async def run(self) -> None:
        """Remind, switch the output and keep the file, until cancelled."""
        while True:
            self._remind()
            self._sound()
            if self._changed:
                await self._keep()
            await self._clock.sleep(LOOK_S)

    def _remind(self) -> None:
        now_s, after_s = self._clock.mono_s(), self._settings.remind_after_s
        if not after_s:
            return
        for case in list(self._cases.values()):
            if case.state is None and case.reminded < self._settings.remind_times and now_s - case.since_s >= after_s:
                count = case.reminded + 1
                kind = Kind.UNACKNOWLEDGED_SILENT if case.silent else Kind.UNACKNOWLEDGED
                facts: dict[str, JsonValue] = {"event": case.event, "kind": case.kind.value, "count": count}
                self._record(Event(kind, case.subject, now_s, facts))
                self._put(replace(case, since_s=now_s, reminded=count))

    def _sound(self) -> None:
        """On while an alarm is overdue that may be known here."""
        output = self._settings.output
        wanted = any(case.overdue and not case.silent for case in self._cases.values())
        if output is not None and wanted is not self._raised:
            self._raised = wanted
            self._order(Order(output, Verb.ON if wanted else Verb.OFF, ORIGIN, local=True))

    def _put(self, case: Case) -> None:
        self._cases[case.event] = case
        self._changed = True
        if len(self._cases) > KEPT:
            done = [event for event, kept in self._cases.items() if kept.state is Handled.RESOLVED]
            del self._cases[(done or list(self._cases))[0]]

    async def _keep(self) -> None:
        self._changed = False
        content = _CASES.dump_json(tuple(self._cases.values()))
        try:
            await in_thread("handling", lambda: _write(self._path, content))
        except ConfigError as error:
            _log.error("how alarms are handled is kept in memory only: %s; %s", error, error.hint)
            self._changed = True
            await self._clock.sleep(5 * LOOK_S)


_CASES: Final = TypeAdapter(tuple[Case, ...])


def _write(path: Path, content: bytes) -> None:
    with locked(path.parent):
        write_whole(path, content)


def _kept(path: Path) -> Iterable[Case]:
    try:
        return _CASES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError):
        _log.error("%s cannot be read: how alarms before this start are handled is not known; remove it", path)
        return ()
