"""The control panel of one OSDP bus: opens the port, polls its readers in turn, sends them feedback.

One task owns port and readers; `apply` only queues. A cycle is: one exchange with every reader in contact, then up
to two other commands each, then one try at a reader that is being looked for. Polls go first, so that no feedback
delays a card. While there is nothing but polls to be done, `Rest` makes them; a bus whose cycle takes longer than the
poll interval polls without a pause.
"""

import asyncio
import logging
import re
from contextlib import suppress
from pathlib import Path

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
from drivers.line import Line
from drivers.osdp.bus import Bus, OpenLine, open_serial
from drivers.osdp.config import OsdpBus, OsdpReader, SecureChannel
from drivers.osdp.frames import Frame
from drivers.osdp.keys import promote, read_keys
from drivers.osdp.outage import TIMEOUT_S
from drivers.osdp.reader import Phase, ReaderLink
from drivers.osdp.rest import Rest

_FEEDBACK = 2  # commands to each reader in a cycle, such as LED and buzzer
_STEPS = 3  # of the handshake, in one turn
_RELEASE_S = 0.6  # for the outputs' safe state at the end
_KEY_S = 5.0  # between looks for a key file that is missing, or holds another key than the reader
_OUTPUT = re.compile(r"output-(\d{1,2})")

_log = logging.getLogger(__name__)


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
        self._keys: dict[DeviceId, tuple[bytes, ...]] = {}
        """Of the readers in service."""
        self._key_look_s = 0.0
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
        bus = Bus(line, self._config.baud, self._clock, self._overheard)
        try:
            while True:
                line.check()
                begun, due = await self._rested(bus)
                if begun >= self._key_look_s:
                    self._look_for_keys(begun)
                for link in due:
                    if not link.silent and (link.phase is not Phase.OFFLINE or link.retry_s <= begun):
                        await self._turn(bus, link)
                await self._send_feedback(bus)
                await self._probe(bus)
                await self._pause(bus, begun + self._config.poll_interval_s)
        finally:
            with suppress(LinkError, TimeoutError):
                async with self._clock.timeout(_RELEASE_S):
                    await self._release(bus)

    async def _rested(self, bus: Bus) -> tuple[float, list[ReaderLink]]:
        """Rest while nothing is to be done but polls; when this cycle began, and who is still due a turn in it."""
        now, links = self._clock.mono_s(), self._in_service()
        until_s = min([self._key_look_s, *(link.retry_s for link in links if not link.online)])
        rest = Rest(bus, [link for link in links if link.online], self._config.poll_interval_s, self._clock, self._wake)
        if rest.due and now < until_s and all(link.quiet for link in rest.due):
            await rest.until_news(until_s)
            await bus.finish()
            links = rest.due + [link for link in links if not link.online]
        return rest.begun_s, links

    async def _turn(self, bus: Bus, link: ReaderLink) -> None:
        """One exchange with a reader in contact, or as many steps of the handshake as get their answers."""
        for _ in range(_STEPS):
            before = link.phase
            await bus.turn(link)
            if link.phase in (before, Phase.OFFLINE, Phase.ONLINE):
                return

    async def _send_feedback(self, bus: Bus) -> None:
        self._wake.clear()
        for link in self._in_service():
            for _ in range(_FEEDBACK):
                wire = link.next_feedback(self._clock.mono_s())
                if wire is None:
                    break
                await bus.exchange(link, wire)

    async def _probe(self, bus: Bus) -> None:
        """Try one of the silent readers that are due, each in its turn; go on with it if it answers."""
        now = self._clock.mono_s()
        due = [link for link in self._in_service() if link.silent and link.retry_s <= now]
        if not due:
            return
        self._probed += 1
        link = due[self._probed % len(due)]
        alone = not any(other.phase is not Phase.OFFLINE for other in self._in_service())
        full = alone or link.outage.full_wait(now)
        await bus.exchange(link, link.outgoing(), TIMEOUT_S if full else bus.light_s)
        if link.phase is not Phase.OFFLINE:
            await self._turn(bus, link)
        elif link.silent:
            tried_s = self._clock.mono_s()
            link.retry_s = link.outage.tried(tried_s, 0.0 if alone else tried_s - now, full=full)

    async def _pause(self, bus: Bus, until_s: float) -> None:
        """Rest until the next cycle; feedback that comes meanwhile goes out at once."""
        left_s = until_s - self._clock.mono_s()
        if left_s <= 0:
            return
        try:
            async with self._clock.timeout(left_s):
                await self._wake.wait()
        except TimeoutError:
            return
        await self._send_feedback(bus)
        await self._clock.sleep(max(0.0, until_s - self._clock.mono_s()))

    async def _release(self, bus: Bus) -> None:
        """Switch off every output of a reader in contact that was ever switched."""
        await bus.finish()
        for link in self._in_service():
            link.feedback.release(self._clock.mono_s())
            while link.online and (link.feedback or link.unanswered):
                wire = link.next_feedback(self._clock.mono_s()) or link.outgoing()
                await bus.exchange(link, wire)

    def _overheard(self, frame: Frame) -> None:
        for link in self._links.values():
            link.overheard(frame, self._clock.mono_s())

    # ------------------------------------------------------------ keys and states

    def _in_service(self) -> list[ReaderLink]:
        return [link for name, link in self._links.items() if name in self._keys]

    def _start_links(self) -> None:
        self._keys.clear()
        self._look_for_keys(self._clock.mono_s())

    def _look_for_keys(self, now: float) -> None:
        """Start each reader whose keys are there or have changed; small local files, read only where it is needed."""
        self._key_look_s = now + _KEY_S
        for name, link in self._links.items():
            if name not in self._keys or (link.trust.failures and not link.online):
                self._start_with_keys(self._readers[name], link, now)

    def _start_with_keys(self, config: OsdpReader, link: ReaderLink, now: float) -> None:
        path = None if config.secure_channel is SecureChannel.OFF else config.key_file
        try:
            keys = () if config.secure_channel is SecureChannel.OFF else read_keys(link.id, path)
        except DeviceFault as error:
            self._keys.pop(link.id, None)
            link.fault(error.reason, error.hint, now)
            return
        if self._keys.get(link.id) != keys:
            self._keys[link.id] = keys
            link.start(keys, now, lambda key: self._proved(link.id, path, key))

    def _proved(self, reader: DeviceId, path: Path | None, key: bytes) -> None:
        """A key that was waiting beside the key file takes its place."""
        if path is not None and promote(reader, path, key):
            self._keys[reader] = (key,)

    def _changed(self, old: Status, state: DeviceState, reason: str, hint: str, emit: Emit) -> Status:
        """Emit the bus's own state when it says something new, and return the one that holds."""
        if (old.state, old.reason) == (state, reason):
            return old
        log = _log.warning if state is DeviceState.FAULT else _log.info
        log("%s: %s%s", self.id, state, f": {reason}" if reason else "")
        new = Status(self.id, state, self._clock.mono_s(), reason, hint)
        emit(new)
        return new
