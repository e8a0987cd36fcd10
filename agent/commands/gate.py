"""The decision whether an order counts. Pure: bytes and time in; an order or the reason why not out.

`read` proves who signed what for whom; what comes out of it may have been given before. `admit` decides whether a new
one is still fresh, and whether its key has not given too many.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import ValidationError

from agent.commands.challenge import Challenges
from agent.commands.trust import Signer, Trust
from agent.contract import MAX_MESSAGE_BYTES
from agent.contract.commands import ARGS_OF, MOVES, ROLE_OF, Args, Command, KeySet, Refusal, Verb
from agent.contract.jws import FlawError, Token, Typ

MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """Signed by a key of ours, for us, and allowed to it. `digest` tells two orders with one id apart."""

    command: Command
    args: Args
    signer: Signer
    digest: bytes

    @property
    def id(self) -> str:
        return self.command.id

    @property
    def verb(self) -> Verb:
        return self.command.verb

    @property
    def who(self) -> str:
        """For the records: name and key."""
        return f"{self.signer.name} ({self.signer.kid})"


@dataclass(frozen=True, slots=True)
class NewKeys:
    """A key set that a root has signed; its version is its identity."""

    token: bytes
    keys: KeySet

    @property
    def id(self) -> str:
        return f"keys-{self.keys.version}"


@dataclass(frozen=True, slots=True)
class Refused:
    """`id` only where a key of ours, or a root, vouches for the order; `signer` is that key."""

    refusal: Refusal
    message: str
    verb: Verb | None = None
    id: str = ""
    signer: Signer | None = None


Reading: TypeAlias = Order | NewKeys | Refused


class Gate:
    def __init__(self, gateway: str, trust: Trust, challenges: Challenges, per_minute: int) -> None:
        self._gateway = gateway
        self._trust = trust
        self._challenges = challenges
        self._per_minute = per_minute
        self._admitted: dict[str, deque[float]] = {}

    def read(self, verb: str, payload: bytes, *, retained: bool) -> Reading:
        """`verb` is the last level of the topic."""
        try:
            known = Verb(verb)
        except ValueError:
            return Refused(Refusal.UNKNOWN_VERB, f"there is no order {verb[:40]!r}")
        try:
            return self._read(known, payload, retained=retained)
        except FlawError as flaw:
            return Refused(flaw.refusal, f"the order {flaw}", known)

    def admit(self, order: Order, mono_s: float, utc: datetime | None) -> Refused | None:
        """Why an order that was never given before is not carried out; None when it is, and counts."""
        command = order.command
        refusal: tuple[Refusal, str] | None = None
        if command.exp is not None and utc is not None and utc.timestamp() >= command.exp:
            refusal = Refusal.EXPIRED, "the order has expired"
        elif order.verb in MOVES and command.challenge is None:
            refusal = Refusal.NO_CHALLENGE, "the order quotes no challenge"
        elif command.challenge is not None and not self._challenges.fits(command.challenge):
            refusal = Refusal.STALE_CHALLENGE, "the challenge is not one of the last two"
        elif not self._may_count(order.signer.kid, mono_s):
            refusal = Refusal.RATE_LIMITED, f"the key has given {self._per_minute} orders within a minute"
        return None if refusal is None else Refused(*refusal, order.verb, order.id, order.signer)

    def _read(self, verb: Verb, payload: bytes, *, retained: bool) -> Reading:
        """Raises: FlawError."""
        if retained:
            raise FlawError(Refusal.RETAINED, "was left with the broker; one is never retained")
        if len(payload) > MAX_MESSAGE_BYTES:
            raise FlawError(Refusal.TOO_LARGE, f"has {len(payload)} bytes; {MAX_MESSAGE_BYTES} are the most")
        if not self._trust.rooted:
            raise FlawError(Refusal.NO_ROOTS, "cannot be proven: commands.roots names no key")
        if verb is Verb.KEYS:
            return self._keys(payload)
        token = Token.parse(payload)
        signer = self._trust.signer(token.kid)
        document = token.verify(signer.public, Typ.COMMAND)
        return self._order(verb, document, signer, hashlib.sha256(payload).digest())

    def _keys(self, payload: bytes) -> Reading:
        keys = self._trust.check(payload)
        found = NewKeys(payload, keys)
        if keys.version < self._trust.version or (keys.version == self._trust.version and payload != self._trust.token):
            message = f"key set {keys.version} is not later than {self._trust.version}, which is in force"
            return Refused(Refusal.OLD_VERSION, message, Verb.KEYS, found.id)
        return found

    def _order(self, verb: Verb, document: bytes, signer: Signer, digest: bytes) -> Reading:
        try:
            command = Command.model_validate_json(document)
        except ValidationError as error:
            return Refused(Refusal.MALFORMED, f"the order is malformed: {_place(error)}", verb, "", signer)
        refusal: tuple[Refusal, str] | None = None
        if command.verb is not verb:
            refusal = Refusal.WRONG_VERB, f"the order says {command.verb} and its topic {verb}"
        elif command.aud != self._gateway:
            refusal = Refusal.WRONG_AUDIENCE, "the order is for another gateway"
        elif ROLE_OF[verb] not in signer.roles:
            refusal = Refusal.NOT_ALLOWED, f"{signer.name} has not the role {ROLE_OF[verb]}"
        if refusal is not None:
            return Refused(*refusal, verb, command.id, signer)
        try:
            args = ARGS_OF[verb].model_validate(dict(command.args))
        except ValidationError as error:
            return Refused(Refusal.MALFORMED, f"args: {_place(error)}", verb, command.id, signer)
        return Order(command, args, signer, digest)  # type: ignore[arg-type]  # ARGS_OF holds exactly the types of Args

    def _may_count(self, kid: str, mono_s: float) -> bool:
        counted = self._admitted.setdefault(kid, deque())
        while counted and counted[0] <= mono_s - MINUTE_S:
            counted.popleft()
        if len(counted) >= self._per_minute:
            return False
        counted.append(mono_s)
        return True


def _place(error: ValidationError) -> str:
    """Where and what is wrong; nothing of what stands there."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])[:80]}: {first['msg'][:120]}"
