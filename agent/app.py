"""Builds the whole agent from its settings, runs it, and takes it down in order.

Order of the end: no action any more, devices stopped (each puts its outputs into their safe state), last rules
stepped, last events committed, published for up to 2 s, everything closed. A second signal ends the process at once.
"""

import asyncio
import hashlib
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from types import MappingProxyType
from typing import Self

from agent.account import cards_of, journal_of, lanes_of, link_of, names_of, trouble_event
from agent.audit import AUDIT_FILE, Anchor, AuditLog
from agent.board import Board
from agent.cases import Cases
from agent.commands import Commands, build_commands
from agent.compound import Compound
from agent.configuration import Configuration
from agent.contract import StatusMessage, Topics, areas_of, rfc3339, uptime
from agent.credentials import Cards, TimeFloor
from agent.devices import build_device
from agent.events import Event, JsonValue, Kind
from agent.health import HealthWatch
from agent.journal import Health, Journal, JournalError, Limits, Origin, RefusedError, Storing
from agent.latches import Latches
from agent.notify import Notifier
from agent.pictures import Pictures
from agent.recorder import Recorder
from agent.rules import build_rules
from agent.schedules import Schedules
from agent.settings import Settings
from agent.status import StatusServer
from agent.supervisor import Supervisor
from agent.telemetry import COMMIT_EVERY_S
from agent.timekeeper import Timekeeper, boot_id
from agent.trial import TrialWatch
from agent.uplink import CONFIRM_WITHIN_S, Message, Trouble, Uplink
from agent.vision.client import VisionClient
from drivers.base import Clock, ConfigError, GatehouseError, Reading

_log = logging.getLogger(__name__)
_MB = 1 << 20
LAST_COMMIT_S = 0.5
LAST_PUBLISH_S = 2.0
VERSION = version("gatehouse-agent")


async def run(configuration: Configuration, clock: Clock) -> int:
    """Run until SIGTERM or SIGINT (0), or until a part that must not fail has failed (1)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_exit, stop, number)
    agent = Agent.start(configuration.settings, clock, configuration)
    try:
        return await agent.run(stop)
    finally:
        await agent.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _stop_or_exit(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        os._exit(128 + number)
    stop.set()


class Agent:
    """Everything that runs in the main process; made by `start`, once, in the loop.

    Doors never wait for the disk: while the journal cannot be opened, events wait in memory and the uplink has nothing
    to say.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        journal: Journal,
        recorder: Recorder,
        boot: str,
        configuration: Configuration | None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self._recorder = recorder
        self._boot = boot
        self._configuration = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
        self._notifier = Notifier()
        self._floor = TimeFloor.of(settings, clock)
        holds = Schedules.of(settings).active
        self._cards = Cards.open(settings.access.credentials_file, holds=holds, floor=self._floor)
        self._cards.on_change, self._cards_faulted = self._cards_changed, False
        self._devices = tuple(build_device(config, clock) for config in settings.devices)
        self._uplink = self._build_uplink()
        self._board = Board(boot, recorder.units, self._uplink.publish_state)
        self._latches = Latches(settings.storage.folder / "latches", clock)
        self._compound = self._build_compound()
        self._supervisor = Supervisor(clock, self._compound.emit)
        self._vision = VisionClient(settings, clock, self._compound.observe, self._compound.emit)
        ask, draft = self._vision.snapshot, recorder.event
        self.pictures = Pictures(settings, clock, boot, journal, ask=ask, draft=draft, record=self._record)
        self._status = StatusServer(settings.run.folder, self.snapshot)
        note = settings.run.folder / "clock-offset"
        self._timekeeper = Timekeeper(clock, note, lambda: f"{boot}/{journal.epoch}", self._record_durably)
        self._audit = AuditLog(settings.storage.folder / AUDIT_FILE, clock)
        self._anchor = Anchor(self._audit, clock, self._record)
        self._cases = self._build_cases()
        journal.on_commit(self._cases.committed)
        journal.on_epoch(self._cases.renewed)
        self._stop = asyncio.Event()
        self._commands = self._build_commands(configuration)
        self._trial = None if configuration is None else self._build_trial(configuration)
        self._health = HealthWatch(
            settings, boot, clock, snapshot=self.snapshot, publish=self._uplink.publish_state, record=self._record
        )
        journal.on_health(self._storing)

    @classmethod
    def start(cls, settings: Settings, clock: Clock, configuration: Configuration | None = None) -> Self:
        """Begin to open the journal, and build the rest."""
        boot = boot_id()
        recorder = Recorder(settings, boot, clock)
        limits = Limits(
            max_bytes=settings.storage.max_mb * _MB,
            max_entries=settings.storage.max_entries,
            alarm_reserve_bytes=settings.storage.alarm_reserve_mb * _MB,
            media_bytes=settings.storage.media_mb * _MB,
            telemetry_wait_s=COMMIT_EVERY_S,
            confirmation_wait_s=CONFIRM_WITHIN_S,
        )
        journal = Journal.start(settings.storage.folder, limits, clock, recorder.bodies)
        return cls(settings, clock, journal, recorder, boot, configuration)

    # ------------------------------------------------------------ parts, each from those before it

    def _build_uplink(self) -> Uplink:
        return Uplink(
            self._settings.centre,
            Topics.of(self._settings.gateway),
            self._journal,
            self._clock,
            self._boot,
            status=self._status_message,
            on_trouble=self._trouble,
            on_command=self._commanded,
            prove=self._prove,
            picture=lambda body: self.pictures.open(body),  # noqa: PLW0108 - made later: it asks the vision process
        )

    def _build_compound(self) -> Compound:
        return Compound(
            self._settings,
            build_rules(self._settings, self._cards, self._latches.of),
            self._devices,
            self._clock,
            record=self._record,
            on_status=self._board.status,
            on_reading=self._reading,
        )

    def _build_cases(self) -> Cases:
        return Cases(
            self._settings.handling,
            self._settings.storage.folder,
            self._clock,
            self._boot,
            epoch=lambda: self._journal.epoch,
            record=lambda event: self._journal.append_nowait(self._recorder.event(event)),
            order=self._compound.order,
        )

    def _build_commands(self, configuration: Configuration | None) -> Commands:
        return build_commands(
            self._settings,
            self._clock,
            self._audit,
            order=self._compound.order,
            resend=self._uplink.resend,
            reply=self._uplink.reply,
            restart=self._restart,
            say=self._record,
            on_turn=self._uplink.refresh_status,
            verified=self._floor.verify,
            handle=self._cases.handle,
            picture=self._picture,
            propose=None if configuration is None else configuration.propose,
        )

    def _build_trial(self, configuration: Configuration) -> TrialWatch:
        return TrialWatch(
            configuration,
            self._clock,
            journal=self._journal,
            commands=self._commands,
            draft=self._recorder.event,
            restart=self._restart,
        )

    # ------------------------------------------------------------ run and end

    async def close(self) -> None:
        await self._journal.close()

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set (0), or until a part that may not fail has failed (1; 2: it may not run here)."""
        code, self._stop = 0, stop
        try:
            async with self._status, asyncio.TaskGroup() as core:
                compound = core.create_task(self._compound.run(), name="compound")
                others = [
                    core.create_task(self._report_upward(), name="uplink"),
                    core.create_task(self._journal.run_until_failed(), name="journal"),
                    core.create_task(self._watchdog(), name="watchdog"),
                    core.create_task(self._keep_time(), name="timekeeper"),
                    core.create_task(self._cards.run(self._clock), name="cards"),
                    core.create_task(self._latches.run(), name="latches"),
                    core.create_task(self._anchor.run(), name="audit"),
                    core.create_task(self.pictures.run(), name="pictures"),
                    core.create_task(self._command(), name="commands"),
                    core.create_task(self._cases.run(), name="handling"),
                    core.create_task(self._health.run(), name="health"),
                ]
                await self._serve_devices(stop)
                compound.cancel()
                await asyncio.wait([compound])
                self._compound.drain()
                await self._commit_the_last()
                await self._uplink.stop(LAST_PUBLISH_S)
                for task in others:
                    task.cancel()
        except* GatehouseError as failed:
            for error in failed.exceptions:
                _log.critical("the agent ends: %s; %s", error, error.hint if isinstance(error, GatehouseError) else "")
            code = 2 if failed.subgroup(ConfigError) else 1
        return code

    async def _serve_devices(self, stop: asyncio.Event) -> None:
        """Devices and cameras until `stop`; on return every output is in its safe state."""
        async with asyncio.TaskGroup() as edge:
            tasks = [
                edge.create_task(self._supervisor.run(self._devices, self._compound.emit), name="devices"),
                edge.create_task(self._vision.run(), name="vision"),
            ]
            self._say_beginning()
            self._notifier.ready()
            await stop.wait()
            self._notifier.stopping()
            self._compound.stop_acting()
            for task in tasks:
                task.cancel()

    async def _report_upward(self) -> None:
        birth = await self._journal.opened
        if birth.origin is Origin.AFTER_CORRUPTION:
            facts: dict[str, JsonValue] = {"reason": birth.reason, "set_aside": birth.set_aside}
            self._say(Kind.JOURNAL_FAULT, facts, subject="journal")
            self._say(Kind.JOURNAL_RESTORED, {"epoch": birth.epoch}, subject="journal")
        await self._uplink.run()

    async def _keep_time(self) -> None:
        await asyncio.shield(self._journal.opened)
        await self._timekeeper.run()

    async def _watchdog(self) -> None:
        """A sign of life from the loop, on which doors depend: rules and devices run on nothing else."""
        interval_s = self._notifier.watchdog_s
        while interval_s is not None:
            self._notifier.alive()
            await self._clock.sleep(interval_s / 3)

    async def _commit_the_last(self) -> None:
        """Everything decided is on disk with it, or the disk does not answer and nothing waits for it any more."""
        stopped = Event(Kind.AGENT_STOPPED, "gateway", self._clock.mono_s())
        with suppress(TimeoutError, JournalError):
            async with self._clock.timeout(LAST_COMMIT_S):
                await self._journal.append(self._recorder.event(stopped))

    # ------------------------------------------------------------ what the agent says of itself

    def _say_beginning(self) -> None:
        self._say(Kind.AGENT_STARTED, {"version": VERSION, "configuration": self._configuration})
        if self._cards.problem is not None:
            self._cards_changed()

    def _cards_changed(self) -> None:
        """The list on the disk is another one, or cannot be read, which is said once until it can."""
        problem = self._cards.problem
        if problem is not None:
            self._cards_faulted = True
            data: dict[str, JsonValue] = {"reason": str(problem), "hint": problem.hint}
            self._say(Kind.DEVICE_FAULT, data, subject="credentials")
            return
        if self._cards_faulted:
            self._cards_faulted = False
            self._say(Kind.DEVICE_RESTORED, subject="credentials")
        facts: dict[str, JsonValue] = {"version": self._cards.version, "count": len(self._cards)}
        self._say(Kind.CREDENTIALS_CHANGED, facts | {"digest": self._cards.digest}, subject="credentials")

    def _say(self, kind: Kind, data: Mapping[str, JsonValue] = MappingProxyType({}), subject: str = "gateway") -> None:
        self._record(Event(kind, subject, self._clock.mono_s(), data))

    def _record(self, event: Event) -> None:
        self._latches.note(event)
        self._journal.append_nowait(self._recorder.event(self.pictures.of(event)))
        self._commands.heard(event)

    def _prove(self, receipt: bytes) -> bytes:
        return self._commands.prove(receipt)

    async def _picture(self, camera: str, name: str, reason: str) -> str:
        return (await self.pictures.take(camera, name, reason)).snapshot

    async def _command(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._commands.run(self._trial.waiting if self._trial else frozenset()))
            if self._trial is not None:
                group.create_task(self._trial.run(), name="trial")

    def _commanded(self, message: Message) -> None:
        self._commands.received(message.topic.rpartition("/")[2], message.payload, retained=message.retained)

    def _restart(self) -> None:
        """End in order; whoever started us does so again."""
        _log.warning("restarting, as the centre has ordered")
        self._stop.set()

    async def _record_durably(self, event: Event) -> None:
        """What finds no room is given up, as `_record` does."""
        with suppress(RefusedError):
            await self._journal.append(self._recorder.event(event))

    def _reading(self, reading: Reading) -> None:
        self._journal.append_nowait(self._recorder.reading(reading))
        self._board.reading(reading)

    def _storing(self, health: Health) -> None:
        """The journal's state has changed; the event waits in memory while nothing can be written."""
        if health.state is Storing.OK:
            self._say(Kind.JOURNAL_RESTORED, {"refused": health.refused}, subject="journal")
            return
        _log.error("journal: %s; %s", health.reason, health.hint)
        facts: dict[str, JsonValue] = {"reason": health.reason, "hint": health.hint, "refused": health.refused}
        self._say(Kind.JOURNAL_FAULT, facts, subject="journal")

    def _trouble(self, trouble: Trouble) -> None:
        event = trouble_event(trouble, self._clock.mono_s())
        if event.kind is not Kind.CERTIFICATE_RESTORED:
            _log.error("uplink: %s; %s", trouble.reason, trouble.hint)
        self._record(event)

    def _status_message(self) -> bytes:
        gateway, now_s = self._settings.gateway, self._clock.mono_s()
        at = self._clock.utc()
        return StatusMessage(
            gateway=gateway.id,
            version=VERSION,
            boot=self._boot,
            epoch=self._journal.epoch,
            uptime=uptime(now_s),
            time=None if at is None else rfc3339(at),
            configuration=self._configuration,
            name=gateway.name,
            areas=areas_of(gateway),
            grid=gateway.grid,
            lanes=lanes_of(self._journal),
            receipt_counter=self._uplink.receipt_counter,
            challenge=self._commands.challenge,
            keys=self._commands.trust.version,
            encryption=self._commands.encryption,
        ).payload()

    def snapshot(self) -> Mapping[str, JsonValue]:
        """Everything `gatehouse status` shows, as plain data."""
        stats = self._vision.stats
        return {
            "version": VERSION,
            "boot": self._boot,
            "time_trusted": self._clock.utc() is not None,
            **names_of(self._settings),
            **link_of(self._uplink.link),
            **journal_of(self._journal),
            **cards_of(self._cards),
            "vision": {"pid": self._vision.pid, "stats": None if stats is None else asdict(stats)},
            "handling": self._cases.snapshot(),
            "commands": self._commands.snapshot(),
            **self._compound.snapshot(),
        }
