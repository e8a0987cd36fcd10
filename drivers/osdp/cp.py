"""The control panel of one OSDP bus: opens the port, polls its readers in turn, sends them feedback.

One task owns port and readers; `apply` only queues. A cycle is: one exchange with every reader in contact, then up
to two feedback commands each, then one try at a reader that is being looked for, which listens in the pause that
is due anyway. Polls go first, so that no feedback delays a card.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from drivers.base import (
    Backoff,
    Clock,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    LinkError,
    Output,
    Signal,
    Status,
)
from drivers.line import Line, SerialLine
from drivers.osdp.config import OsdpBus, SecureChannel
from drivers.osdp.frames import MAX_LENGTH, Deframer, Frame
from drivers.osdp.keys import read_key
from drivers.osdp.reader import Phase, ReaderLink

_TIMEOUT_S = 0.2  # the standard's longest time to the first byte of a reply
_LIGHT_S = 0.03  # for a try at a silent reader that must not cost the others a time-out
_SLACK_S = 0.02  # between bytes that arrive in clumps
_PROBE_BYTES = 30  # command and reply of such a try
_PAUSE_S = 0.01  # the line rests at least so long between cycles
_FEEDBACK = 2  # commands to each reader in a cycle: LED and buzzer
_STEPS = 6  # of the handshake, in one turn
_RELEASE_S = 0.6  # for the outputs' safe state at the end
_KEY_S = 5.0  # between looks for a key file that is missing
_OUTPUT = re.compile(r"output-(\d{1,2})")

OpenLine: TypeAlias = Callable[[OsdpBus, Clock], Line]

_log = logging.getLogger(__name__)


def open_serial(config: OsdpBus, clock: Clock) -> Line:
    """Raises: LinkError."""
    return SerialLine(config.id, config.port, config.baud, clock)


class OsdpControlPanel:
    """Implements `drivers.base.Device` for a bus and its readers."""

    def __init__(self, config: OsdpBus, clock: Clock, open_line: OpenLine = open_serial) -> None:
        self.id = DeviceId(config.id)
        self.serves = frozenset({self.id, *(DeviceId(reader.id) for reader in config.readers)})
        self._config = config
        self._clock = clock
        self._open_line = open_line
        self._readers = {DeviceId(reader.id): reader for reader in config.readers}
        self._links: dict[DeviceId, ReaderLink] = {}
        self._keyless: set[DeviceId] = set()
        self._key_retry_s = 0.0
        self._byte_s = 10 / config.baud
        self._deframer = Deframer()
        self._wake = asyncio.Event()
        self._probed = 0

    async def run(self, emit: Emit) -> None:
        self._links = {name: ReaderLink(reader, emit) for name, reader in self._readers.items()}
        now = self._clock.mono_s()
        status = Status(self.id, DeviceState.STARTING, now)
        emit(status)
        for link in self._links.values():
            link.report(DeviceState.STARTING, now)
        backoff = Backoff(ceiling_s=1.0)
        while True:
            try:
                line = self._open_line(self._config, self._clock)
                try:
                    self._start_links()
                    status = self._changed(status, DeviceState.OK, "", "", emit)
                    backoff.reset()
                    await self._serve(line)
                finally:
                    line.close()
            except LinkError as error:
                status = self._changed(status, DeviceState.FAULT, error.reason, error.hint, emit)
                for link in self._links.values():
                    link.fault(f"bus {self.id} is down: {error.reason}", error.hint, self._clock.mono_s())
            await self._clock.sleep(backoff.next_s())

    def apply(self, output: Output) -> None:
        """Queue a cue or an output of a reader. Raises: DeviceFault while it is offline, or has no such output."""
        link = self._links.get(output.device)
        if link is None:
            raise DeviceFault(output.device, "is no reader in service", hint=f"bus {self.id} serves its readers only")
        now = self._clock.mono_s()
        offline = DeviceFault(link.id, "is offline", hint="its state says why")
        if isinstance(output, Signal):
            if not link.online:
                raise offline
            link.feedback.show(output.cue, now)
        else:
            named = _OUTPUT.fullmatch(output.point)
            if named is None:
                raise DeviceFault(link.id, f"has no {output.point}", hint="outputs are called output-0, output-1, …")
            number = int(named[1])
            if not link.online:
                if output.for_s is None:
                    link.feedback.hold(number, on=output.on)
                raise offline
            link.feedback.switch(number, on=output.on, for_s=output.for_s, now=now)
        self._wake.set()

    # ------------------------------------------------------------ the cycle

    async def _serve(self, line: Line) -> None:
        """Poll for ever; at the end put outputs in their safe state. Raises: LinkError when the port is gone."""
        try:
            while True:
                line.check()
                begun = self._clock.mono_s()
                if self._keyless and begun >= self._key_retry_s:
                    self._find_keys(begun)
                for link in self._in_service():
                    if not link.silent and (link.phase is not Phase.OFFLINE or link.retry_s <= begun):
                        await self._turn(line, link)
                await self._send_feedback(line)
                await self._probe(line)
                await self._pause(line, begun + self._config.poll_interval_s)
        finally:
            with suppress(LinkError, TimeoutError):
                async with self._clock.timeout(_RELEASE_S):
                    await self._release(line)

    async def _turn(self, line: Line, link: ReaderLink) -> None:
        """One exchange with a reader in contact, or as many steps of the handshake as get their answers."""
        for _ in range(_STEPS):
            before = link.phase
            await self._exchange(line, link, link.outgoing(), _TIMEOUT_S)
            if link.phase in (before, Phase.OFFLINE, Phase.ONLINE):
                return

    async def _send_feedback(self, line: Line) -> None:
        self._wake.clear()
        for link in self._in_service():
            for _ in range(_FEEDBACK):
                wire = link.next_feedback(self._clock.mono_s())
                if wire is None:
                    break
                await self._exchange(line, link, wire, _TIMEOUT_S)

    async def _probe(self, line: Line) -> None:
        """Try one of the silent readers that are due, each in its turn; go on with it if it answers."""
        now = self._clock.mono_s()
        due = [link for link in self._in_service() if link.silent and link.retry_s <= now]
        if not due:
            return
        self._probed += 1
        link = due[self._probed % len(due)]
        light_s = max(self._config.poll_interval_s, _LIGHT_S + _PROBE_BYTES * self._byte_s)
        await self._exchange(
            line, link, link.outgoing(), _TIMEOUT_S if link.full_wait(now) else min(light_s, _TIMEOUT_S)
        )
        if link.phase is not Phase.OFFLINE:
            await self._turn(line, link)

    async def _pause(self, line: Line, until_s: float) -> None:
        """Rest until the next cycle; feedback that comes meanwhile goes out at once."""
        until_s = max(until_s, self._clock.mono_s() + _PAUSE_S)
        try:
            async with self._clock.timeout(until_s - self._clock.mono_s()):
                await self._wake.wait()
        except TimeoutError:
            return
        await self._send_feedback(line)
        await self._clock.sleep(max(_PAUSE_S, until_s - self._clock.mono_s()))

    async def _release(self, line: Line) -> None:
        """Switch off every output of a reader in contact that was ever switched."""
        for link in self._in_service():
            link.feedback.release(self._clock.mono_s())
            while link.online and (link.feedback or link.unanswered):
                wire = link.next_feedback(self._clock.mono_s()) or link.outgoing()
                await self._exchange(line, link, wire, _TIMEOUT_S)

    # ------------------------------------------------------------ one exchange

    async def _exchange(self, line: Line, link: ReaderLink, wire: bytes, wait_s: float) -> None:
        line.clear()
        self._deframer.clear()
        line.write(wire)
        deadline_s = self._clock.mono_s() + wait_s + len(wire) * self._byte_s
        frame = await self._reply(line, link, deadline_s)
        if frame is None:
            link.missed(self._clock.mono_s())
        else:
            link.received(frame, line.read_mono_s)

    async def _reply(self, line: Line, link: ReaderLink, deadline_s: float) -> Frame | None:
        """Wait for a frame the reader's state accepts; while one is arriving, as long as the rest of it takes."""
        limit_s = deadline_s + MAX_LENGTH * self._byte_s
        while (left_s := deadline_s - self._clock.mono_s()) > 0:
            try:
                async with self._clock.timeout(left_s):
                    data = await line.read()
            except TimeoutError:
                break
            for frame in self._deframer.feed(data):
                if link.accepts(frame):
                    return frame
            if self._deframer.missing:
                rest_s = self._deframer.missing * self._byte_s + _SLACK_S
                deadline_s = min(limit_s, max(deadline_s, self._clock.mono_s() + rest_s))
        return next(filter(link.accepts, self._deframer.flush()), None)

    # ------------------------------------------------------------ keys and states

    def _in_service(self) -> list[ReaderLink]:
        return [link for name, link in self._links.items() if name not in self._keyless]

    def _start_links(self) -> None:
        now = self._clock.mono_s()
        self._keyless = set(self._links)
        self._find_keys(now)

    def _find_keys(self, now: float) -> None:
        """Start each reader whose key is there; it is a small local file, read only until it is found."""
        self._key_retry_s = now + _KEY_S
        for name in sorted(self._keyless):
            config, link = self._readers[name], self._links[name]
            try:
                off = config.secure_channel is SecureChannel.OFF
                link.start(None if off else read_key(name, config.key_file), now)
            except DeviceFault as error:
                link.fault(error.reason, error.hint, now)
            else:
                self._keyless.discard(name)

    def _changed(self, old: Status, state: DeviceState, reason: str, hint: str, emit: Emit) -> Status:
        """Emit the bus's own state when it says something new, and return the one that holds."""
        if (old.state, old.reason) == (state, reason):
            return old
        log = _log.warning if state is DeviceState.FAULT else _log.info
        log("%s: %s%s", self.id, state, f": {reason}" if reason else "")
        new = Status(self.id, state, self._clock.mono_s(), reason, hint)
        emit(new)
        return new
