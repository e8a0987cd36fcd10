"""The documents that are no events, as models that write them and read them back."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.contract.text import finite
from agent.events import Lane
from agent.settings import Gateway, Level, Name
from drivers.base import DeviceState, Quality

VERSION: Final = "1.0"
"""Of the contract. The first number is that of the topics; config/contract/README.md says when the second rises."""


class Document(BaseModel):
    """Immutable; unknown fields of a newer peer are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def payload(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


Sequence0 = Annotated[int, Field(ge=0, lt=2**63)]
Sequence1 = Annotated[int, Field(ge=1, lt=2**63)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Rejected(Document):
    """An entry the centre cannot use; it is released, kept locally and reported."""

    sequence: Sequence1
    reason: Annotated[str, Field(max_length=500)]


class LaneReceipt(Document):
    """The centre has stored, or been told the loss of, everything up to `upto`; `digest` is the chain value there."""

    upto: Sequence0
    digest: Digest
    rejected: tuple[Rejected, ...] = ()


class Receipt(Document):
    """The centre's word, for one gateway and epoch; `counter` rises with each.

    A centre that has lost its count goes on from `receipt_counter` of the gateway's status.
    """

    gateway: str
    epoch: str
    counter: Sequence0
    lanes: Mapping[Lane, LaneReceipt] = {}


RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]
"""A level of a topic; the centre's own."""


class Request(Document):
    """The centre asks for entries of an epoch again; `id` names the reply. It may ask as often as it likes."""

    id: RequestId
    epoch: str
    lane: Lane
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


class Span(Document):
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


class Outcome(StrEnum):
    ANSWERED = "answered"  # what is kept is on its way again, what is gone is named
    UNKNOWN_EPOCH = "unknown_epoch"  # nothing of that epoch is kept; `epoch` of the reply is the one that runs


class RequestReply(Document):
    """Answers a request, at `reply/{id}`, for `from..to`; a centre that asked for more asks again from there.

    `gone` will never come again: it was confirmed and released long ago, or declared dropped.
    """

    id: RequestId
    gateway: str
    epoch: str
    outcome: Outcome
    lane: Lane
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]
    gone: tuple[Span, ...] = ()


class Online(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Presence(Document):
    """Retained; the broker publishes the offline one when the link dies (LWT), the gateway when it stops."""

    gateway: str
    state: Online
    boot: str
    stopped: bool = False
    """Offline because it was stopped, not because it was lost."""


class LaneStatus(Document):
    last: Sequence0
    confirmed: Sequence0
    oldest: Sequence0
    digest: Digest


class Area(Document):
    """One of the four levels a gateway stands in; `code` is also a level of its topics."""

    code: str
    name: str | None = None
    """In Chinese."""


def areas_of(gateway: Gateway) -> Mapping[Level, Area]:
    return {level: Area(code=code, name=getattr(gateway.areas, level)) for level, code in gateway.codes.items()}


class EncryptionKey(Document):
    """The gateway's JWK, to which changes of the card list are encrypted (ECDH-ES, A256GCM)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["X25519"] = "X25519"
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class StatusMessage(Document):
    """Retained; sent after each connect and with every heartbeat."""

    gateway: str
    version: str
    """Of the agent."""
    contract: str = VERSION
    """Of this contract, `major.minor`."""
    boot: str
    epoch: str
    uptime: str
    """Seconds since boot."""
    time: str | None = None
    """RFC 3339, UTC; left out while the clock is not trusted."""
    configuration: str
    """SHA-256 in hex of the settings in force, written as JSON without comments."""
    name: Name
    areas: Mapping[Level, Area] = {}
    grid: str | None = None
    lanes: Mapping[Lane, LaneStatus]
    receipt_counter: Sequence0 = 0
    """The highest that was taken from a receipt since the agent started or the epoch began; a lower one is stale."""
    challenge: str | None = None
    """An order that moves something quotes it within two minutes; absent where no order is taken."""
    keys: Sequence0 = 0
    """Version of the key set in force; 0 is none: the centre sends its own again."""
    encryption: EncryptionKey | None = None


class PointMessage(Document):
    value: Annotated[bool | int | float | str | None, AfterValidator(finite)] = None
    """Left out when there is none."""
    unit: str = ""
    quality: Quality = Quality.GOOD
    uptime: str


class DeviceMessage(Document):
    """Retained; the state of one device and of its points."""

    device: str
    state: DeviceState
    reason: str = ""
    hint: str = ""
    boot: str
    uptime: str
    points: Mapping[str, PointMessage] = {}
