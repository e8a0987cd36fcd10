"""Orders of the centre and their answers. An order is the payload of a compact JWS; see `agent/commands/README.md`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, create_model

from agent.contract.messages import Document, RequestId, Sequence1
from agent.events import Lane

Kid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""RFC 7638 thumbprint of a key: SHA-256 of its JWK, base64url."""
Point = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}/[a-z0-9-]{1,40}$")]
Id = Annotated[str, Field(min_length=1, max_length=40)]
CommandId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,36}$")]
"""A level of a topic, chosen by the sender, never used twice: a UUID."""


class Verb(StrEnum):
    """The last level of the order's topic, `command/{verb}`."""

    UNLOCK = "unlock"
    LOCK = "lock"
    LOCKDOWN = "lockdown"
    OUTPUT = "output"
    SNAPSHOT = "snapshot"
    CREDENTIALS = "credentials"
    CONFIGURATION = "configuration"
    RESTART = "restart"
    RESEND = "resend"
    HANDLING = "handling"
    AUDIT = "audit"
    KEYS = "keys"


class Role(StrEnum):
    """What a key may sign."""

    UNLOCK = "unlock"  # unlock, lock
    LOCKDOWN = "lockdown"
    OUTPUT = "output"
    SNAPSHOT = "snapshot"
    CREDENTIALS = "credentials"
    CONFIGURE = "configure"  # configuration, restart
    HANDLE = "handle"  # handling
    OBSERVE = "observe"  # resend, audit
    RECEIPT = "receipt"  # receipts


ROLE_OF: Final[Mapping[Verb, Role]] = {
    Verb.UNLOCK: Role.UNLOCK,
    Verb.LOCK: Role.UNLOCK,
    Verb.LOCKDOWN: Role.LOCKDOWN,
    Verb.OUTPUT: Role.OUTPUT,
    Verb.SNAPSHOT: Role.SNAPSHOT,
    Verb.CREDENTIALS: Role.CREDENTIALS,
    Verb.CONFIGURATION: Role.CONFIGURE,
    Verb.RESTART: Role.CONFIGURE,
    Verb.RESEND: Role.OBSERVE,
    Verb.AUDIT: Role.OBSERVE,
    Verb.HANDLING: Role.HANDLE,
}
"""A key set (`keys`) has no role: the root that signed it is its authority."""

MOVES: Final = frozenset({
    Verb.UNLOCK, Verb.LOCK, Verb.LOCKDOWN, Verb.OUTPUT, Verb.SNAPSHOT, Verb.CONFIGURATION, Verb.RESTART
})  # fmt: skip
"""Orders that must quote the challenge of `status`. The others change nothing when they are given again."""
LIVES_S: Final = 120
"""An order that moves something is worth nothing after so long, as its challenge is not: for `exp`, and the message's
expiry (MQTT 5)."""


def expiry_s(verb: Verb) -> int | None:
    """Of the order's message; None where it is still good when it comes late."""
    return LIVES_S if verb in MOVES else None


class _Strict(Document):
    """Nothing is passed over in an order: a field that is not understood may be the one that matters."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)


class UnlockArgs(_Strict):
    """`for_s` left out is the door's own time; `keep` unlocks until it is locked."""

    door: Id
    for_s: Annotated[float, Field(gt=0, le=86400)] | None = None
    keep: bool = False


class LockArgs(_Strict):
    door: Id


class LockdownArgs(_Strict):
    """`doors` left out means every door."""

    on: bool
    doors: Annotated[tuple[Id, ...], Field(min_length=1, max_length=200, strict=False)] | None = None


class OutputArgs(_Strict):
    """One of the outputs that the compound's file opens to orders; `for_s` switches it off again."""

    output: Point
    on: bool
    for_s: Annotated[float, Field(gt=0, le=86400)] | None = None


class SnapshotArgs(_Strict):
    """`reason` stands in the audit log beside who looked."""

    camera: Id
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CredentialsArgs(_Strict):
    """A change of the card list (`agent.credentials.changes`), encrypted to the gateway as a compact JWE.

    One too long for a message goes in `parts`, each a piece of the text, told apart by `part` 1 and up.
    """

    jwe: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")]
    part: Annotated[int, Field(ge=1, le=100)] = 1
    parts: Annotated[int, Field(ge=1, le=100)] = 1
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the whole text, where it goes in parts."""


class ConfigurationArgs(_Strict):
    """The whole compound file. It is kept if the centre is reached again within `within_s`."""

    toml: Annotated[str, Field(min_length=1)]
    within_s: Annotated[float, Field(ge=20, le=3600)] = 300.0


class RestartArgs(_Strict):
    pass


class ResendArgs(_Strict):
    """Answered like a request, at `reply/{id}-r`."""

    epoch: Annotated[str, Field(max_length=64)]
    lane: Annotated[Lane, Field(strict=False)]
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


class Handled(StrEnum):
    """How far the centre is with an event (事件处置); it never goes back."""

    RECEIVED = "received"
    DISPATCHED = "dispatched"
    RESOLVED = "resolved"


class HandlingArgs(_Strict):
    """`event` is its identity below the gateway: `epoch/lane/sequence`. `note` names no person."""

    event: Annotated[str, Field(pattern=r"^[0-9a-f-]{8,64}/[a-z]{1,20}/[1-9][0-9]{0,18}$")]
    state: Annotated[Handled, Field(strict=False)]
    note: Annotated[str, Field(max_length=200)] = ""


class AuditArgs(_Strict):
    """Records `from` to `to` of the audit log; the answer holds as many of them as fit."""

    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


Args: TypeAlias = (
    UnlockArgs | LockArgs | LockdownArgs | OutputArgs | SnapshotArgs | CredentialsArgs | ConfigurationArgs
    | RestartArgs | ResendArgs | HandlingArgs | AuditArgs
)  # fmt: skip

ARGS_OF: Final[Mapping[Verb, type[_Strict]]] = {
    Verb.UNLOCK: UnlockArgs,
    Verb.LOCK: LockArgs,
    Verb.LOCKDOWN: LockdownArgs,
    Verb.OUTPUT: OutputArgs,
    Verb.SNAPSHOT: SnapshotArgs,
    Verb.CREDENTIALS: CredentialsArgs,
    Verb.CONFIGURATION: ConfigurationArgs,
    Verb.RESTART: RestartArgs,
    Verb.RESEND: ResendArgs,
    Verb.HANDLING: HandlingArgs,
    Verb.AUDIT: AuditArgs,
}


class Command(_Strict):
    """What the JWS of an order carries. `aud` is the gateway's id, `verb` that of the topic.

    `exp` is seconds since 1970; it is judged while the gateway's clock is trusted.
    """

    id: CommandId
    aud: Annotated[str, Field(max_length=40)]
    verb: Annotated[Verb, Field(strict=False)]
    challenge: Annotated[str, Field(max_length=64)] | None = None
    exp: Annotated[int, Field(ge=0, lt=1 << 53)] | None = None
    args: Mapping[str, Any]


def command_model(verb: Verb) -> type[Command]:
    """An order of one verb, with its own arguments: what the published documents show."""
    name = f"{verb.title()}Command"
    only: Any = Literal[verb]
    return create_model(name, __base__=Command, verb=(only, ...), args=(ARGS_OF[verb], ...))


class Key(_Strict):
    """One key of the centre, an Ed25519 JWK's `x`; `name` says whose office or duty it is."""

    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    roles: Annotated[tuple[Annotated[Role, Field(strict=False)], ...], Field(min_length=1, max_length=20, strict=False)]


class KeySet(_Strict):
    """What the JWS of `command/keys` carries: every key that holds from now on. `version` only ever rises."""

    version: Annotated[int, Field(ge=1, lt=1 << 53)]
    keys: Annotated[tuple[Key, ...], Field(max_length=100, strict=False)]


class Verdict(StrEnum):
    DONE = "done"
    REFUSED = "refused"  # nothing was done
    FAILED = "failed"  # it was tried, and is not done
    STARTED = "started"  # a configuration on trial; the last word follows
    UNKNOWN = "unknown"  # the gateway stopped between act and result; it is never tried again


class Refusal(StrEnum):
    """Why an order is refused."""

    NO_KEYS = "no_keys"  # no key set has come yet
    NO_ROOTS = "no_roots"  # the compound's file pins no root: the gateway takes no orders
    RETAINED = "retained"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    WRONG_ALG = "wrong_alg"
    BAD_HEADER = "bad_header"  # the JWS names a key, a certificate or an extension of its own
    WRONG_TYPE = "wrong_type"  # signed as something else
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    UNKNOWN_VERB = "unknown_verb"
    WRONG_VERB = "wrong_verb"  # another than the topic's
    WRONG_AUDIENCE = "wrong_audience"
    NOT_ALLOWED = "not_allowed"  # the key has not the role
    NO_CHALLENGE = "no_challenge"
    STALE_CHALLENGE = "stale_challenge"
    EXPIRED = "expired"
    ID_REUSED = "id_reused"  # another order with this id
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    STORAGE = "storage"  # nothing can be written down, and what cannot be is not done
    OLD_VERSION = "old_version"
    UNKNOWN_TARGET = "unknown_target"  # no such door, output, camera or event
    NOT_AVAILABLE = "not_available"  # this gateway has not what it takes
    NOT_DECRYPTED = "not_decrypted"
    INVALID = "invalid"  # understood, and cannot be applied as it is
    NO_ANSWER = "no_answer"
    ROLLED_BACK = "rolled_back"  # the centre was not reached with that configuration


UNPROVEN: Final = frozenset({
    Refusal.NO_ROOTS, Refusal.RETAINED, Refusal.TOO_LARGE, Refusal.MALFORMED, Refusal.WRONG_ALG, Refusal.BAD_HEADER,
    Refusal.WRONG_TYPE, Refusal.UNKNOWN_KEY, Refusal.FORGED, Refusal.UNKNOWN_VERB,
})  # fmt: skip
"""Reasons of orders that no key of ours vouches for."""


class CommandReply(Document):
    """At `reply/{id}`; given again when the same order comes again. `reason` is a Refusal, or the door's own word."""

    id: RequestId
    gateway: str
    verb: Verb
    outcome: Verdict
    reason: str | None = None
    message: str = ""
    data: Mapping[str, Any] = {}
