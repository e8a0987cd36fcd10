"""One entry of the card list, as it is kept: digests in place of numbers, and what it may do."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from agent.credentials.verdict import PinDemand, PinResult, Reason
from drivers.base import Card

MAX_BITS = 512
REFERENCE_DIGITS = 10
PIN_PATTERN = r"^[0-9]{4,8}$"

Holds: TypeAlias = Callable[[str, datetime], bool]
"""Whether a schedule holds at a time."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
HolderText = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Names = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of the time. `utc`: now, None while it is not trusted; `floor`: the newest time ever verified.

    `lenient`: at this door a schedule that cannot be judged is ignored.
    """

    utc: datetime | None
    floor: datetime | None = None
    lenient: bool = True

    @property
    def newest(self) -> datetime | None:
        return max((at for at in (self.utc, self.floor) if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Credential:
    """`holder` is the property management's own reference to a household or person; `doors` None means all.

    It opens in any of its schedules, without any at all times. `pin` is salted by the card: the same digits on
    two cards have nothing in common.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)

    card: Digest = field(repr=False)
    holder: HolderText
    doors: Names | None = None
    schedules: Names | None = None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    extended: bool = False
    exempt: bool = False
    pin: Digest | None = field(default=None, repr=False)
    duress: Digest | None = field(default=None, repr=False)

    @property
    def reference(self) -> str:
        return self.card[:REFERENCE_DIGITS]

    @property
    def demand(self) -> PinDemand:
        return PinDemand.NONE if self.pin is None else PinDemand.REQUIRED

    def refusal(self, door: str, times: Times, holds: Holds) -> Reason | None:
        """Why it does not open `door`. The newest time known judges its dates, only a trusted clock its schedules."""
        if self.doors is not None and door not in self.doors:
            return Reason.WRONG_DOOR
        newest, undecided = times.newest, None if times.lenient else Reason.NO_CLOCK
        if self.valid_from is not None or self.valid_until is not None:
            if newest is None:
                return undecided
            if self.valid_until is not None and newest >= self.valid_until:
                return Reason.EXPIRED
            if self.valid_from is not None and newest < self.valid_from:
                return Reason.NOT_YET_VALID
        if self.schedules is not None:
            if times.utc is None:
                return undecided
            if not any(holds(schedule, times.utc) for schedule in self.schedules):
                return Reason.SCHEDULE
        return None

    def check_pin(self, key: bytes, digits: str) -> PinResult:
        """Takes as long for one PIN as for the other."""
        given = pin_digest(key, self.card, digits)
        right = hmac.compare_digest(given, self.pin or "")
        duress = hmac.compare_digest(given, self.duress or "")
        return PinResult.DURESS if duress else PinResult.OK if right else PinResult.WRONG


def card_digest(key: bytes, card: Card) -> str:
    """The same number read with another count of bits is another card."""
    return hmac.new(key, f"{card.bits}/{card.number}".encode(), hashlib.sha256).hexdigest()


def pin_digest(key: bytes, card: str, digits: str) -> str:
    """`card` is the digest of the card the PIN belongs to: the salt."""
    return hmac.new(key, f"pin/{card}/{digits}".encode(), hashlib.sha256).hexdigest()


def encode(credential: Credential) -> bytes:
    """One line: the card's digest, a space, the rest in JSON."""
    rest = ADAPTER.dump_json(credential, exclude={"card"}, exclude_defaults=True)
    return credential.card.encode() + b" " + rest


def decode(line: bytes) -> Credential:
    """Raises: pydantic's ValidationError for what `encode` did not write."""
    card, _, rest = line.partition(b" ")
    return ADAPTER.validate_json(b'{"card":"' + card + b'",' + rest[1:])


ADAPTER = TypeAdapter(Credential)
