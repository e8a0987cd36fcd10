"""Which entries travel next. Pure: entries come in by `offer`, time is passed in.

`alarm` and `fault` go strictly first; `ledger`, `access`, `telemetry` and `media` share what is left by deficit
round robin, in bytes. The window counts messages in flight: its last slots are kept for alarms, and what is shared
may only fill part of the line (`BULK_BYTES`), so that on a slow link an alarm waits for little.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from agent.contract import MAX_BATCH_READINGS, MAX_MESSAGE_BYTES
from agent.events import Lane
from agent.journal import Entry

FIRST: Final = (Lane.ALARM, Lane.FAULT)
SHARED: Final = (Lane.LEDGER, Lane.ACCESS, Lane.TELEMETRY, Lane.MEDIA)
ALARM_SLOTS: Final = 2
BULK_BYTES: Final = 128 * 1024
BATCH_BYTES: Final = 16 * 1024
"""Aim for a telemetry batch: at 4 kB/s it still passes within the progress time-out."""
ENVELOPE_BYTES: Final = 1024
"""More than topic and envelope of a batch take."""
QUANTUM_BYTES: Final = 4 * 1024
LINGER_S: Final = 0.5
"""How long a reading waits for others to share its message."""
LOW_WATER: Final = 400
"""With fewer entries than this ready, a lane asks for more."""
TELEMETRY_LOW_WATER: Final = 1000
FRESH_BYTES: Final = 512 * 1024
"""A lane that holds as much takes no more before it is asked."""

Mark: TypeAlias = tuple[Lane, int]


class Parcel(NamedTuple):
    """Contiguous entries of one lane that make one message; `again` when the centre asked for them."""

    lane: Lane
    entries: Sequence[Entry]
    again: bool

    @property
    def mark(self) -> Mark:
        return self.lane, self.entries[0].sequence


@dataclass(slots=True)
class Flight:
    """One message on its way: the entries `first..last` of a lane.

    `bulk`: its bytes where they count against `BULK_BYTES`; `generation`: the lane's when it was sent.
    """

    lane: Lane
    first: int
    last: int
    bulk: int
    again: bool
    generation: int
    acked: bool = False


@dataclass(slots=True)
class _Queue:
    lane: Lane
    fetched: int = 0
    ready: deque[Entry] = field(default_factory=deque)
    again: deque[Entry] = field(default_factory=deque)
    ready_bytes: int = 0
    waiting_since: float = 0.0
    hold_until: float = 0.0
    deficit: int = 0
    flights: deque[Flight] = field(default_factory=deque)
    generation: int = 0


class Schedule:
    """`set_aside` holds messages that must not be sent (see `policy.Suspects`); `may_go` says of a media entry whether
    its picture has gone before it.
    """

    def __init__(
        self,
        window: int,
        set_aside: AbstractSet[Mark] = frozenset(),
        may_go: Callable[[Entry], bool] = lambda _: True,
    ) -> None:
        self._wanted_window = window
        self._window = window
        self._batch_bytes = self._largest_batch = BATCH_BYTES
        self._set_aside = set_aside
        self._may_go = may_go
        self._queues: Mapping[Lane, _Queue] = {lane: _Queue(lane) for lane in Lane}
        self._flights: dict[int, Flight | None] = {}
        self._bulk = 0
        self._turn = deque(self._queues[lane] for lane in SHARED)

    # ------------------------------------------------------------ filling

    def want(self, last: Callable[[Lane], int]) -> Lane | None:
        """The lane that should be read from the journal next, given each lane's last committed sequence."""
        for lane in (*FIRST, *SHARED):
            queue = self._queues[lane]
            low = TELEMETRY_LOW_WATER if lane is Lane.TELEMETRY else LOW_WATER
            if queue.fetched < last(lane) and len(queue.ready) < low:
                return lane
        return None

    def place(self, lane: Lane) -> tuple[int, int]:
        """`(after, generation)` for the next read; the generation changes when the lane is rewound."""
        queue = self._queues[lane]
        return queue.fetched, queue.generation

    def offer(self, lane: Lane, generation: int, upto: int, entries: Sequence[Entry], now: float) -> None:
        """What a read brought; nothing when all up to `upto` are gone."""
        queue = self._queues[lane]
        if generation != queue.generation:
            return
        if not queue.ready:
            queue.waiting_since = now
        queue.ready.extend(entries)
        queue.ready_bytes += sum(len(entry.body) for entry in entries)
        queue.fetched = entries[-1].sequence if entries else upto

    def offer_fresh(self, lane: Lane, entries: Sequence[Entry], now: float) -> None:
        """Entries as they are committed; passed over when the lane is not yet there, or has enough."""
        queue = self._queues[lane]
        if entries[0].sequence == queue.fetched + 1 and queue.ready_bytes < FRESH_BYTES:
            self.offer(lane, queue.generation, 0, entries, now)

    def wants_again(self, lane: Lane) -> bool:
        return len(self._queues[lane].again) < LOW_WATER

    def offer_again(self, lane: Lane, entries: Sequence[Entry]) -> None:
        """Entries that the centre has asked for; they go before others of the lane, but no alarm waits."""
        self._queues[lane].again.extend(entries)

    def refused(self, flight: Flight, until: float) -> None:
        """The broker refuses it: the lane rests until then and is sent again from there. Old news changes nothing."""
        queue = self._queues[flight.lane]
        if flight.again or flight.generation != queue.generation:
            return
        oldest = min(flight.first, queue.flights[0].first if queue.flights else flight.first)
        self.rewind(flight.lane, oldest - 1)
        queue.hold_until = until

    def halve(self, mark: Mark) -> bool:
        """The broker cannot bear this message: whether it is a batch, and smaller ones are made from now on."""
        lane, first = mark
        if not any(flight.first == first < flight.last for flight in self._queues[lane].flights):
            return False
        self._largest_batch = self._batch_bytes = self._batch_bytes // 2
        return True

    def rewind(self, lane: Lane, confirmed: int) -> None:
        """Everything above `confirmed` is to be sent again."""
        queue = self._queues[lane]
        queue.generation += 1
        queue.fetched, queue.ready_bytes = confirmed, 0
        queue.ready.clear()
        queue.flights.clear()

    def begin_anew(self) -> None:
        """Another epoch: nothing that was read of the old one is sent any more."""
        for queue in self._queues.values():
            queue.again.clear()
            self.rewind(queue.lane, 0)

    # ------------------------------------------------------------ sending

    def connected(self, receive_maximum: int, maximum_packet: int = MAX_MESSAGE_BYTES) -> None:
        """A new connection: nothing is in flight any more."""
        self._window = min(self._wanted_window, receive_maximum)
        self._batch_bytes = min(self._largest_batch, maximum_packet - ENVELOPE_BYTES)
        self._flights.clear()
        self._bulk = 0
        for queue in self._queues.values():
            queue.again.clear()
            queue.hold_until = 0.0
            queue.deficit = 0

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    @property
    def marks(self) -> frozenset[Mark]:
        return frozenset((flight.lane, flight.first) for flight in self._flights.values() if flight is not None)

    def urgent(self, now: float, *, careful: bool = False) -> Parcel | None:
        """The next alarm or fault that may be sent now; `careful` sends one message at a time."""
        if len(self._flights) >= (1 if careful else self._window):
            return None
        if found := self._pop(self._queues[Lane.ALARM], now, hurry=True):
            return found
        if not self.has_room:
            return None
        return self._pop(self._queues[Lane.FAULT], now, hurry=True)

    def shared(self, now: float, *, hurry: bool = False, careful: bool = False) -> Parcel | None:
        """The next message of the other lanes, to be asked for when `urgent` has none.

        `hurry` lets no reading wait for others.
        """
        if not self.has_room or self._bulk >= BULK_BYTES or (careful and self._flights):
            return None
        return self._share(now, hurry)

    @property
    def has_room(self) -> bool:
        """Whether anything but an alarm may be sent."""
        return len(self._flights) < max(1, self._window - ALARM_SLOTS)

    def sent_other(self, mid: int) -> None:
        """A message that is no entry's: presence, a state."""
        self._flights[mid] = None

    def sent(self, mid: int, parcel: Parcel, size: int) -> None:
        lane = parcel.lane
        queue = self._queues[lane]
        first, last = parcel.entries[0].sequence, parcel.entries[-1].sequence
        bulk = 0 if lane in FIRST else size
        flight = Flight(lane, first, last, bulk, parcel.again, queue.generation)
        self._flights[mid] = flight
        if bulk:
            self._bulk += size
            queue.deficit -= size
        if not parcel.again:
            queue.flights.append(flight)

    def acked(self, mid: int) -> Flight | None:
        """PUBACK, of whatever code; the flight, when it was an entry's."""
        flight = self._flights.pop(mid, None)
        if flight is not None:
            self._bulk -= flight.bulk
        return flight

    def passed(self, flight: Flight) -> int:
        """The broker has taken it; up to where the lane's messages are taken without a break, 0 when unknown."""
        flight.acked = True
        flights = self._queues[flight.lane].flights
        upto = 0
        while flights and flights[0].acked:
            upto = flights.popleft().last
        return upto

    def next_media(self, now: float) -> Entry | None:
        """The entry whose picture is to be sent next."""
        queue = self._queues[Lane.MEDIA]
        waiting = queue.again or queue.ready
        return waiting[0] if waiting and queue.hold_until <= now else None

    def idle(self, last: Callable[[Lane], int]) -> bool:
        """Whether everything committed has been sent and acknowledged."""
        waiting = any(queue.fetched < last(lane) or queue.ready for lane, queue in self._queues.items())
        return not self._flights and not waiting

    def wake_s(self, now: float) -> float | None:
        """When a lane that waits by itself becomes ready, in seconds."""
        queues = [queue for queue in self._queues.values() if queue.ready]
        due = [q.waiting_since + LINGER_S - now for q in queues if q.lane is Lane.TELEMETRY]
        due += [q.hold_until - now for q in queues if q.hold_until > now]
        return max(0.0, min(due)) if due else None

    # ------------------------------------------------------------ private

    def _share(self, now: float, hurry: bool) -> Parcel | None:
        """Deficit round robin: a lane sends while it has credit; one with nothing to send keeps none."""
        turn, resting = self._turn, 0
        while resting < len(turn):
            queue = turn[0]
            if not self._sendable(queue, now, hurry):
                queue.deficit = 0
                resting += 1
            elif queue.deficit <= 0:
                queue.deficit += QUANTUM_BYTES
                resting = 0
            elif found := self._pop(queue, now, hurry=hurry):
                return found
            turn.rotate(-1)
        return None

    def _sendable(self, queue: _Queue, now: float, hurry: bool) -> bool:
        if not (queue.ready or queue.again) or queue.hold_until > now:
            return False
        if queue.lane is Lane.MEDIA:
            return self._may_go((queue.again or queue.ready)[0])
        if queue.lane is not Lane.TELEMETRY or hurry or queue.again:
            return True
        return queue.ready_bytes >= self._batch_bytes or now - queue.waiting_since >= LINGER_S

    def _pop(self, queue: _Queue, now: float, *, hurry: bool) -> Parcel | None:
        while self._sendable(queue, now, hurry):
            found = self._cut(queue)
            if found.mark not in self._set_aside:
                return found
        return None

    def _cut(self, queue: _Queue) -> Parcel:
        """One entry, in the telemetry lane a contiguous run, cut around one that is set aside."""
        again = bool(queue.again) and not (queue.ready and queue.lane in FIRST)
        source = queue.again if again else queue.ready
        found = [source.popleft()]
        size = len(found[0].body)
        if queue.lane is Lane.TELEMETRY and (queue.lane, found[0].sequence) not in self._set_aside:
            while source and source[0].sequence == found[-1].sequence + 1 and len(found) < MAX_BATCH_READINGS:
                more = len(source[0].body) + 1
                if size + more > self._batch_bytes or (queue.lane, source[0].sequence) in self._set_aside:
                    break
                size += more
                found.append(source.popleft())
        if not again:
            queue.ready_bytes -= sum(len(entry.body) for entry in found)
        return Parcel(queue.lane, found, again)
