"""Changes of the card list, as the centre sends them and as this gateway makes them itself.

A change is JSON. A snapshot is the whole list; a delta says on which list, by version and digest, it stands. The
digest of a list is SHA-256(digest of the list before + the bytes of the change), of a snapshot SHA-256(its bytes):
who sent the bytes and who applied them know the same digest, and nobody needs the gateway's key. `salt` is random
and travels only inside the (encrypted) change, so that the digest, which the gateway's status shows, discloses no
card even when the change holds a single one.

    {"change": "snapshot", "version": 7, "salt": "…", "cards": [{"bits": 26, "number": "12345678", "holder": "3-502"}]}
    {"change": "delta", "base": {"version": 7, "digest": "…"}, "version": 8, "salt": "…", "put": [], "drop": []}
"""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from agent.credentials.credential import (
    MAX_BITS,
    PIN_PATTERN,
    Credential,
    Digest,
    HolderText,
    Names,
    card_digest,
    pin_digest,
)
from agent.credentials.problem import problem
from drivers.base import Card, GatehouseError

MAX_CHANGE_BYTES = 64 << 20


def _time(given: object) -> object:
    """Pydantic would take the digits of a number for seconds since 1970."""
    return datetime.fromisoformat(given) if isinstance(given, str) else given


Time = Annotated[AwareDatetime, BeforeValidator(_time)]
Version = Annotated[int, Field(ge=1, lt=1 << 53)]
Salt = Annotated[str, Field(pattern=r"^[0-9a-f]{32,64}$")]
Pin = Annotated[str, Field(pattern=PIN_PATTERN)]


class Refusal(StrEnum):
    """Why a change is not applied."""

    MALFORMED = "malformed"
    OLD_VERSION = "old_version"  # the list has this version or a later one
    OTHER_BASE = "other_base"  # a delta on another list: send a snapshot
    TWICE = "twice"  # one card more than once
    TOO_MANY = "too_many"


class ChangeRefused(GatehouseError):
    """The list stays as it is."""

    def __init__(self, refusal: Refusal, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.refusal = refusal


class _Secretive(BaseModel):
    """An error never quotes what stands in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CardNumber(_Secretive):
    """The bits a reader delivers, as a decimal number in quotes: JSON's numbers end at 53 bits."""

    bits: Annotated[int, Field(ge=1, le=MAX_BITS)]
    number: Annotated[str, Field(pattern=r"^[0-9]{1,155}$")] = Field(repr=False)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if int(self.number) >> self.bits:
            raise ValueError("more than its bits hold")
        return self

    @property
    def card(self) -> Card:
        return Card(self.bits, int(self.number))

    @classmethod
    def of(cls, card: Card) -> "CardNumber":
        return CardNumber(bits=card.bits, number=str(card.number))


class Entry(CardNumber):
    """A card and what it may do; `doors` left out means all, `schedules` left out means always."""

    holder: HolderText
    doors: Names | None = None
    schedules: Names | None = None
    valid_from: Time | None = None
    valid_until: Time | None = None
    extended: bool = False
    exempt: bool = False
    pin: Pin | None = Field(default=None, repr=False)
    duress: Pin | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _pins_differ(self) -> Self:
        if self.duress is not None and self.duress == self.pin:
            raise ValueError("the duress PIN is the PIN")
        return self

    def credential(self, key: bytes) -> Credential:
        """What is kept of it."""
        digest = card_digest(key, self.card)
        kept = {name: getattr(self, name) for name in _KEPT}
        for name in ("pin", "duress"):
            digits = getattr(self, name)
            kept[name] = None if digits is None else pin_digest(key, digest, digits)
        return Credential(card=digest, **kept)


_KEPT = ("holder", "doors", "schedules", "valid_from", "valid_until", "extended", "exempt")


class Base(_Secretive):
    """The list a delta stands on; version 0 without a digest is no list at all."""

    version: Annotated[int, Field(ge=0, lt=1 << 53)]
    digest: Digest | None = None


class _Change(_Secretive):
    version: Version
    salt: Salt = Field(repr=False)
    issued: Time | None = None
    """When it was made, by a clock that its signer answers for."""


class Snapshot(_Change):
    change: Literal["snapshot"] = "snapshot"
    cards: tuple[Entry, ...]


class Delta(_Change):
    """First the cards of `drop` go, then those of `put` come, in place of what they were before."""

    change: Literal["delta"] = "delta"
    base: Base
    put: tuple[Entry, ...] = ()
    drop: tuple[CardNumber, ...] = ()


Change: TypeAlias = Annotated[Snapshot | Delta, Field(discriminator="change")]


def parse_change(raw: bytes) -> Snapshot | Delta:
    """Raises: ChangeRefused, without a word of what stands in it."""
    hint = "compare it with the published form of a change"
    if len(raw) > MAX_CHANGE_BYTES:
        raise ChangeRefused(Refusal.MALFORMED, f"a change of {len(raw)} bytes", hint=hint)
    try:
        return _CHANGE.validate_json(raw, strict=True)
    except ValidationError as err:
        raise ChangeRefused(Refusal.MALFORMED, f"the change is malformed: {problem(err)}", hint=hint) from None


def render_change(change: Snapshot | Delta) -> bytes:
    return change.model_dump_json(exclude_none=True).encode()


def digest_after(change: Snapshot | Delta, raw: bytes) -> str:
    """The digest of the list that `raw`, which is `change`, leads to."""
    before = bytes.fromhex(change.base.digest or "") if isinstance(change, Delta) else b""
    return hashlib.sha256(before + raw).hexdigest()


_CHANGE: TypeAdapter[Snapshot | Delta] = TypeAdapter(Change)
