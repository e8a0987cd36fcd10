"""Samples of what is signed, under keys that everybody knows: they open nothing."""

from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.contract import samples
from agent.contract.commands import Command, CommandReply, Key, KeySet, Role, Verb, Verdict
from agent.contract.jws import Typ, sign, x_of
from agent.contract.samples import AT, EPOCH, GATEWAY, TOPICS, Sample, digest, up
from agent.contract.topics import Suffix
from agent.events import JsonValue, Lane

ROOT = Ed25519PrivateKey.from_private_bytes(digest("root"))
OPERATOR = Ed25519PrivateKey.from_private_bytes(digest("operator"))
CHALLENGE = "mJ0d3m2Q5v1c7yHh0aZ1Ew"

_ARGS: Mapping[Verb, Mapping[str, JsonValue]] = {
    Verb.UNLOCK: {"door": "north-gate", "for_s": 5.0, "keep": False},
    Verb.LOCK: {"door": "north-gate"},
    Verb.LOCKDOWN: {"on": True, "doors": ["north-gate"]},
    Verb.OUTPUT: {"output": "gpio/beacon", "on": True, "for_s": 60.0},
    Verb.SNAPSHOT: {"camera": "cam-lane", "reason": "alarm/17"},
    Verb.CREDENTIALS: {"jwe": "eyJhbGciOiJFQ0RILUVTIn0..AAAA.AAAA.AAAA", "part": 1, "parts": 1},
    Verb.CONFIGURATION: {"toml": "[gateway]\nid = …", "within_s": 300.0},
    Verb.RESTART: {},
    Verb.RESEND: {"epoch": EPOCH, "lane": Lane.ACCESS.value, "from": 3, "to": 9},
    Verb.HANDLING: {"event": f"{EPOCH}/alarm/17", "state": "dispatched", "note": ""},
    Verb.AUDIT: {"from": 1, "to": 20},
}


def command(verb: Verb) -> Iterator[Sample]:
    order = Command(
        id=f"7d1f-{verb}",
        aud=GATEWAY.id,
        verb=verb,
        challenge=CHALLENGE,
        exp=int(AT.timestamp()) + 120,
        args=_ARGS[verb],
    )
    yield Sample(TOPICS.command(verb), sign(OPERATOR, Typ.COMMAND, order.payload()))


def keys() -> Iterator[Sample]:
    operator = Key(x=x_of(OPERATOR.public_key()), name="区综治中心值班台", roles=(Role.UNLOCK, Role.HANDLE))
    yield Sample(TOPICS.command(Verb.KEYS), sign(ROOT, Typ.KEYS, KeySet(version=3, keys=(operator,)).payload()))


def receipt() -> Iterator[Sample]:
    for plain in samples.receipt():
        yield Sample(plain.topic, sign(OPERATOR, Typ.RECEIPT, plain.payload))


def reply() -> Iterator[Sample]:
    for outcome, reason in ((Verdict.DONE, None), (Verdict.REFUSED, "locked_down")):
        document = CommandReply(id="7d1f-unlock", gateway=GATEWAY.id, verb=Verb.UNLOCK, outcome=outcome, reason=reason)
        yield up(Suffix.REPLY, document, request="7d1f-unlock")
