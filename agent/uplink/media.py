"""Pictures on their way: one at a time, no faster than the settings allow, each before the entry that names it.

A picture is one message, `media/{name}`, so an alarm waits for at most the one that is on the line.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

from agent.contract import MAX_MESSAGE_BYTES
from agent.events import Lane
from agent.journal import Entry
from agent.uplink.receipts import Trouble, TroubleCode
from agent.uplink.session import Acked, Session

MAX_LOSSES: Final = 3
"""A picture on whose way the link was closed so often is given up: the broker cannot bear it."""
HEAD_BYTES: Final = 200
"""More than topic and header of its message take."""


class Picture(NamedTuple):
    name: str
    jpeg: bytes


Open: TypeAlias = Callable[[bytes], Awaitable[tuple[str, bytes] | None]]
"""Name and JPEG of a media entry, by its body; None where there is none, or none any more."""


async def no_picture(body: bytes) -> None:
    """Of an agent without cameras."""
    del body


class Media:
    """Deals with the picture of the entry that is next in its lane. One that cannot travel is told, and its entry
    goes without it.
    """

    def __init__(
        self, kbit_s: int, open_picture: Open, topic: Callable[[str], str], on_trouble: Callable[[Trouble], None]
    ) -> None:
        self._bytes_s = kbit_s * 125
        self._open = open_picture
        self._topic = topic
        self._on_trouble = on_trouble
        self._entry: Entry | None = None
        self._picture: Picture | None = None
        self._fetched = self._done = False
        self._mid: int | None = None
        self._losses = 0
        self._due_mono_s = 0.0

    def next_is(self, entry: Entry | None) -> bool:
        """The lane's next entry; whether its picture is to be fetched."""
        if entry is None or (self._entry is not None and self._entry.digest == entry.digest):
            return False
        self._entry, self._picture, self._losses = entry, None, 0
        self._fetched = self._done = False
        return True

    async def fetch(self) -> bool:
        """Read the picture of the next entry, if that is to do. Raises: StorageError."""
        entry = self._entry
        if entry is None or self._fetched:
            return False
        found = await self._open(entry.body)
        if entry is self._entry:
            self._fetched, self._done = True, found is None
            self._picture = None if found is None else Picture(*found)
        return True

    def may_go(self, entry: Entry) -> bool:
        """Whether nothing of the entry's picture is to be sent any more."""
        return self._done and self._entry is not None and self._entry.digest == entry.digest

    def wake_s(self, now: float) -> float | None:
        """When a picture that waits for the line may go, in seconds."""
        return max(0.0, self._due_mono_s - now) if self._waits else None

    def send(self, session: Session, now: float) -> int | None:
        """Send the picture, if it is time; the number of its message."""
        picture = self._picture
        if picture is None or not self._waits:
            return None
        if len(picture.jpeg) + HEAD_BYTES > min(session.maximum_packet, MAX_MESSAGE_BYTES):
            self._give_up(f"{len(picture.jpeg)} bytes are more than the broker takes")
            return None
        if now < self._due_mono_s:
            return None
        self._mid = session.publish(self._topic(picture.name), picture.jpeg)
        self._due_mono_s = now + len(picture.jpeg) / self._bytes_s
        return self._mid

    @property
    def size(self) -> int:
        """Of the picture, in bytes."""
        return 0 if self._picture is None else len(self._picture.jpeg)

    def acked(self, acked: Acked) -> bool:
        """Whether it was a picture's."""
        if acked.mid != self._mid:
            return False
        self._mid, self._done = None, True
        if acked.code >= 128:
            self._give_up(f"the broker refuses it: {acked.name}")
        return True

    def lost(self) -> None:
        """The link has ended; what was on its way is sent again, but not for ever."""
        if self._mid is None:
            return
        self._mid = None
        self._losses += 1
        if self._losses >= MAX_LOSSES:
            self._give_up("the link ends whenever it is sent")

    @property
    def _waits(self) -> bool:
        return self._picture is not None and not self._done and self._mid is None

    def _give_up(self, why: str) -> None:
        self._done = True
        name = "" if self._picture is None else self._picture.name
        self._on_trouble(Trouble(TroubleCode.REFUSED, f"picture {name}: {why}", Lane.MEDIA))
