"""From the journal to the centre: keeps the link up, sends what is not confirmed, takes receipts.

Tasks: `uplink:link` dials, serves and dials again; `uplink:read` fills the schedule from the journal, also while
the link is down, so that the first alarm leaves with the first round; `uplink:receipts` releases entries. Only
`uplink:link` publishes.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final

from agent.contract import MAX_MESSAGE_BYTES, Online, Presence, Topics, batch_payload, event_payload
from agent.events import Lane
from agent.journal import Birth, Journal
from agent.settings import Centre, Confirm, Protocol
from agent.uplink.dial import Cause, LinkDownError
from agent.uplink.dialler import Dialler
from agent.uplink.link import Link, LinkState
from agent.uplink.media import Media, Open, no_picture
from agent.uplink.policy import OF_THE_MESSAGE, Jitter, Mark, Refusals, Suspects
from agent.uplink.progress import PROGRESS_S, Progress
from agent.uplink.reader import Reader
from agent.uplink.receipts import Receipts, Trouble, TroubleCode
from agent.uplink.schedule import Flight, Parcel, Schedule
from agent.uplink.session import Acked, Closed, Message, Session, Subscribed
from drivers.base import Clock

_log = logging.getLogger(__name__)

SESSION_TAKEN_OVER: Final = 0x8E
REFUSED_HINT: Final = "the broker's access list must let this gateway write below its own topic"
TICK_S: Final = 1.0
STOP_S: Final = 2.0
REMIND_S: Final = 3.0
"""Unconfirmed for so long after the last sending: the centre is reminded of what there is."""


class Uplink:
    """`status` makes the retained status message, asked for after each connect and with each heartbeat; `picture`
    opens the picture that a media entry's body names.
    """

    def __init__(
        self,
        centre: Centre,
        topics: Topics,
        journal: Journal,
        clock: Clock,
        boot: str,
        *,
        status: Callable[[], bytes],
        on_link: Callable[[LinkState], None] = lambda _: None,
        on_trouble: Callable[[Trouble], None] = lambda _: None,
        picture: Open = no_picture,
        jitter: Jitter = random.uniform,
        on_command: Callable[[Message], None] = lambda _: None,
        prove: Callable[[bytes], bytes] = lambda receipt: receipt,
    ) -> None:
        self._link = Link(on_link)
        self._centre = centre
        self._topics = topics
        self._gateway = topics.path.rsplit("/", 1)[-1]
        self._journal = journal
        self._clock = clock
        self._boot = boot
        self._status = status
        self._on_trouble = on_trouble
        self._on_command = on_command
        self._suspects = Suspects()
        self._media = Media(centre.media_kbit_s, picture, topics.media, on_trouble)
        self._schedule = Schedule(centre.window, self._suspects.aside, self._media.may_go)
        self._receipts = Receipts(self._gateway, journal, clock, on_trouble, prove)
        self._refusals = Refusals()
        self._states: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._told: dict[Lane, int] = {}
        self._wake = asyncio.Event()
        self._dialler = Dialler(centre, self._gateway, clock, self._wake, on_trouble, jitter)
        self._reader = Reader(self._schedule, journal, clock, self._gateway, boot, self._wake, self._media)
        self._link_task: asyncio.Task[None] | None = None
        self._dialling = self._serving = False
        self._stop_by: float | None = None
        self._progress = Progress()
        self._topic = cache(topics.event)

    async def run(self) -> None:
        """Until `stop`, or until cancelled: then the broker says offline by the will."""
        self._journal.on_commit(self._reader.committed)
        self._journal.on_epoch(self._begin_anew)
        self._rewind()
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._reader.run(), name="uplink:read"),
                group.create_task(self._receipts.run(), name="uplink:receipts"),
                group.create_task(self._dialler.watch(), name="uplink:watch"),
            ]
            self._link_task = group.create_task(self._keep_linked(), name="uplink:link")
            await asyncio.wait([self._link_task])
            for helper in helpers:
                helper.cancel()

    async def stop(self, within_s: float = STOP_S) -> None:
        """Publish what is left for so long, say offline, disconnect; `run` ends then."""
        self._stop_by = self._clock.mono_s() + within_s
        self._wake.set()
        self._reader.look()
        task = self._link_task
        if task is None:
            return
        if self._dialling:
            with suppress(TimeoutError):
                async with self._clock.timeout(within_s):
                    await asyncio.wait([task])
        if not self._serving:
            task.cancel()
        await asyncio.wait([task])

    def publish_state(self, suffix: str, payload: bytes) -> None:
        """A retained message below the gateway's topic, `device/osdp-1`; the latest wins."""
        if self._states.get(suffix) != payload:
            self._states[suffix] = payload
            self._dirty[suffix] = None
            self._wake.set()

    def refresh_status(self) -> None:
        """What `status` says has changed."""
        if self._serving:
            self._publish_status()

    def reply(self, reply_id: str, payload: bytes) -> None:
        """At `reply/{id}`, as soon as there is a link; the oldest goes first for want of room."""
        self._reader.replies.append((reply_id, payload))
        self._wake.set()

    def resend(self, request: bytes) -> None:
        """As if the centre had asked by a request."""
        self._reader.requested(request)

    @property
    def link(self) -> LinkState:
        return self._link.state

    @property
    def receipt_counter(self) -> int:
        """The highest taken from a receipt of this epoch, for `status`."""
        return self._receipts.counter

    # ------------------------------------------------------------ the link

    async def _keep_linked(self) -> None:
        will = (self._topics.presence, self._presence(Online.OFFLINE, stopped=False))
        while self._stop_by is None:
            session, wait_s = None, 0.0
            try:
                self._dialling = True
                session = await self._dialler.dial(will)
                self._serving, self._dialling = True, False
                await self._serve(session)
            except LinkDownError as error:
                self._link.down(error.reason, error.hint)
                wait_s = self._dialler.wait_s(error)
            finally:
                self._dialling = self._serving = False
                if session is not None:
                    session.abort()
                self._media.lost()
                self._rewind()
            if self._stop_by is None:
                await self._clock.sleep(wait_s)

    async def _serve(self, session: Session) -> None:
        """Returns when the link was closed on purpose. Raises: LinkDownError."""
        self._schedule.connected(session.receive_maximum, session.maximum_packet)
        self._link.up(session.version, self._centre.confirm, self._dialler.away)
        session.subscribe([self._topics.receipt, self._topics.request, self._topics.command("+")])
        now = tick_s = beat_s = self._clock.mono_s()
        self._progress.up(now)
        self._send_other(session, self._topics.presence, self._presence(Online.ONLINE, stopped=False), now)
        self._publish_status()
        self._dirty = dict.fromkeys(self._states)
        while True:
            self._wake.clear()
            self._take(session)
            self._pump(session)
            now = self._clock.mono_s()
            if now - tick_s >= TICK_S:
                tick_s = now
                session.tick()
                self._check_progress(now)
                self._remind(now)
            if now - beat_s >= self._centre.heartbeat_s:
                beat_s = now
                self._publish_status()
            drained = not self._dirty and self._schedule.idle(self._reader.last)
            if self._stop_by is not None and (drained or now >= self._stop_by):
                self._send_other(session, self._topics.presence, self._presence(Online.OFFLINE, stopped=True), now)
                session.close()
                return
            if reason := self._dialler.better(now):
                _log.info("uplink: a new link, as %s", reason)
                session.close()
                return
            waits = (self._schedule.wake_s(now) or TICK_S, self._media.wake_s(now) or TICK_S)
            wait_s = min(TICK_S, *waits, (self._stop_by or now + TICK_S) - now)
            with suppress(TimeoutError):
                async with self._clock.timeout(wait_s):
                    await self._wake.wait()

    def _take(self, session: Session) -> None:
        now = self._clock.mono_s()
        for happening in session.take():
            match happening:
                case Acked():
                    self._acked(happening, now)
                case Message(topic=self._topics.receipt):
                    if self._centre.confirm is Confirm.CENTRE:
                        self._receipts.received(happening.payload)
                case Message(topic=self._topics.request):
                    self._reader.requested(happening.payload)
                case Message():
                    self._on_command(happening)
                case Subscribed(refused=refused) if refused:
                    reason = f"the broker refuses the centre's receipts to us: {refused}"
                    hint = "its access list must let this gateway read below gatehouse/1/down/ and its own path"
                    self._link.limited(reason, hint, lasting=True)
                case Closed():
                    self._closed(happening)

    def _closed(self, closed: Closed) -> None:
        prompt = self._progress.is_prompt(self._clock.mono_s())
        mark = self._suspects.closed(self._schedule.marks, prompt=prompt, accused=closed.code in OF_THE_MESSAGE)
        if mark is not None:
            self._set_aside(mark, f"the broker hangs up on it: {closed.reason}")
        copied = closed.code == SESSION_TAKEN_OVER
        hint = "another client uses this gateway's id: was its SD card copied?" if copied else "trying again"
        raise LinkDownError(Cause.LOST, f"{self._dialler.target} closed the connection: {closed.reason}", hint=hint)

    def _check_progress(self, now: float) -> None:
        if self._schedule.in_flight and self._progress.is_silent(now):
            raise LinkDownError(
                Cause.SILENT,
                f"{self._dialler.target} has acknowledged nothing for {PROGRESS_S:.0f} s",
                hint="the network swallows packets, or the broker is overloaded; trying again",
            )

    def _publish_status(self) -> None:
        self._told = {lane: state.last for lane, state in self._journal.lanes.items()}
        self.publish_state("status", self._status())

    def _remind(self, now: float) -> None:
        """Everything is sent and some of it not confirmed: the retained status names each lane's last entry.

        Whoever has missed it, or subscribes later, sees that and asks for it; a broker's PUBACK proves no reader.
        """
        if self._receipts.stale:
            self._receipts.stale = False
            self._publish_status()
        waiting = any(state.waiting for state in self._journal.lanes.values())
        if not waiting or self._progress.quiet_s(now) < REMIND_S or self._centre.confirm is not Confirm.CENTRE:
            return
        if self._told != {lane: state.last for lane, state in self._journal.lanes.items()}:
            self._publish_status()

    def _presence(self, state: Online, *, stopped: bool) -> bytes:
        return Presence(gateway=self._gateway, state=state, boot=self._boot, stopped=stopped).payload()

    # ------------------------------------------------------------ sending

    def _pump(self, session: Session) -> None:
        """Send what the window allows: alarms and faults, then states, then what is shared."""
        now = self._clock.mono_s()
        schedule, careful = self._schedule, self._suspects.careful
        while parcel := schedule.urgent(now, careful=careful):
            self._send(session, parcel, now)
        while self._dirty and schedule.has_room and not (careful and schedule.in_flight):
            suffix = next(iter(self._dirty))
            del self._dirty[suffix]
            self._send_other(session, self._topics.up(suffix), self._states[suffix], now)
        while self._reader.replies and schedule.has_room and not (careful and schedule.in_flight):
            request_id, payload = self._reader.replies.popleft()
            self._send_other(session, self._topics.reply(request_id), payload, now, retain=False)
        self._send_picture(session, now)
        while parcel := schedule.shared(now, hurry=self._stop_by is not None, careful=careful):
            self._send(session, parcel, now)
        session.flush()
        self._reader.look()

    def _send_picture(self, session: Session, now: float) -> None:
        media, schedule = self._media, self._schedule
        if media.next_is(schedule.next_media(now)):
            self._reader.look()
        room = schedule.has_room and not (self._suspects.careful and schedule.in_flight)
        if room and (mid := media.send(session, now)) is not None:
            self._progress.sent(now, media.size, alone=not schedule.in_flight)
            schedule.sent_other(mid)

    def _send(self, session: Session, parcel: Parcel, now: float) -> None:
        lane, entries, again = parcel
        last = entries[-1]
        if lane is Lane.TELEMETRY:
            bodies = [entry.body for entry in entries]
            payload = batch_payload(self._gateway, self._journal.epoch, entries[0].sequence, bodies, last.digest)
        else:
            payload = event_payload(self._gateway, self._journal.epoch, lane, last.sequence, last.digest, last.body)
        topic = self._topic(lane, last.kind)
        if len(payload) + len(topic) + 32 > min(session.maximum_packet, MAX_MESSAGE_BYTES):
            self._set_aside(parcel.mark, f"{len(payload)} bytes are more than the broker takes")
            return
        self._progress.sent(now, len(payload), alone=not self._schedule.in_flight)
        self._schedule.sent(session.publish(topic, payload), parcel, len(payload))
        if not again:
            self._journal.hold(lane, last.sequence)

    def _send_other(self, session: Session, topic: str, payload: bytes, now: float, *, retain: bool = True) -> None:
        self._progress.sent(now, alone=not self._schedule.in_flight)
        self._schedule.sent_other(session.publish(topic, payload, retain=retain))

    def _acked(self, acked: Acked, now: float) -> None:
        self._progress.acked(now)
        if self._progress.is_proven(now):
            self._dialler.proven()
        flight = self._schedule.acked(acked.mid)
        if self._media.acked(acked):
            return
        if acked.code >= 128:
            self._refused(flight, acked)
            return
        if flight is None:
            return
        self._suspects.acknowledged((flight.lane, flight.first))
        if flight.lane in self._refusals:
            self._refusals.accepted(flight.lane, flight.first, flight.last)
            if not self._refusals:
                self._link.well()
        upto = self._schedule.passed(flight)
        if upto and self._centre.confirm is Confirm.BROKER and self.link.protocol is Protocol.MQTT5:
            self._receipts.passed(flight.lane, upto)

    def _refused(self, flight: Flight | None, acked: Acked) -> None:
        """A PUBACK that says no: nothing is confirmed by it."""
        if flight is None:
            self._link.limited(f"the broker refuses our state: {acked.name}", REFUSED_HINT)
            return
        if flight.again:
            return  # the centre asks once more
        lane, mark, now = flight.lane, (flight.lane, flight.first), self._clock.mono_s()
        news = lane not in self._refusals
        until = self._refusals.refused(mark, acked.code, now)
        if until is None:
            self._set_aside(mark, f"the broker refuses it: {acked.name}")
            if not self._refusals:
                self._link.well()
        self._schedule.refused(flight, until or now)
        if news and lane in self._refusals:
            reason = f"the broker refuses {lane}/{flight.first}: {acked.name}"
            self._link.limited(reason, REFUSED_HINT)
            self._on_trouble(Trouble(TroubleCode.REFUSED, reason, lane, flight.first, hint=REFUSED_HINT))

    def _set_aside(self, mark: Mark, reason: str) -> None:
        """Declare it in the ledger, so that the centre's books close; of a batch smaller ones are tried before."""
        if self._schedule.halve(mark):
            return
        self._suspects.aside.add(mark)
        self._reader.declare(mark, reason)
        self._on_trouble(Trouble(TroubleCode.SET_ASIDE, reason, *mark))

    def _rewind(self) -> None:
        """Everything that is not confirmed is to be sent again."""
        for lane, state in self._journal.lanes.items():
            self._schedule.rewind(lane, state.confirmed)
            self._journal.hold(lane, 0)
        self._reader.look()

    def _begin_anew(self, _: Birth) -> None:
        """The journal has begun another epoch while we run; no message of ours mixes two."""
        self._schedule.begin_anew()
        self._suspects.begin_anew()
        self._refusals.begin_anew()
        self._receipts.begin_anew()
        self._reader.begin_anew()
        self._rewind()
        self._publish_status()
