"""What one reader says, as readings: cards and keys each time, facts when they change."""

from drivers.base import DeviceId, Emit, PointId, Reading, Value
from drivers.osdp import messages
from drivers.osdp.frames import Frame
from drivers.osdp.messages import Reply


class Points:
    """The points of a reader.

    `card`, `keys`; true or false: `tamper`, `power` (trouble), `input-0` …, `default-key`, `identity-changed`,
    `auth-failed`.
    """

    def __init__(self, reader: DeviceId, emit: Emit) -> None:
        self._reader = reader
        self._emit = emit
        self._facts: dict[str, bool] = {}
        self._local: set[str] = set()

    def told(self, frame: Frame, now: float) -> None:
        """Take a reply in plain bytes; ACK and whatever is unknown say nothing. Raises: FrameError."""
        if frame.code == Reply.RAW:
            self._read("card", messages.parse_raw(frame.data), now)
        elif frame.code == Reply.FMT:
            self._read("card", messages.parse_formatted(frame.data), now)
        elif frame.code == Reply.KEYPAD:
            self._read("keys", messages.parse_keys(frame.data), now)
        elif frame.code == Reply.LSTATR:
            local = messages.parse_local_status(frame.data)
            self._told_fact("tamper", local.tamper, now)
            self._told_fact("power", local.power, now)
        elif frame.code == Reply.ISTATR:
            for number, active in enumerate(messages.parse_inputs(frame.data)):
                self._told_fact(f"input-{number}", active, now)

    def fact(self, point: str, value: bool, now: float) -> None:
        """Tell a fact the panel itself has found, if it is new."""
        if self._facts.get(point) is not value:
            self._facts[point] = value
            self._read(point, value, now)

    def forget(self) -> None:
        """Contact is lost: what the reader said of itself is told anew, what the panel found still holds."""
        for point in self._local:
            self._facts.pop(point, None)

    def _told_fact(self, point: str, value: bool, now: float) -> None:
        self._local.add(point)
        self.fact(point, value, now)

    def _read(self, point: str, value: Value, now: float) -> None:
        self._emit(Reading(self._reader, PointId(point), value, now))
