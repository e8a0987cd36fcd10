"""The decision whether an order counts: each way it can be wrong has its reason."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.commands import signing
from agent.commands.challenge import Challenges
from agent.commands.gate import Gate, NewKeys, Order, Refused
from agent.commands.trust import Trust
from agent.contract import MAX_MESSAGE_BYTES
from agent.contract.commands import ROLE_OF, Key, KeySet, Refusal, Role, UnlockArgs, Verb
from agent.contract.jws import Token, Typ, kid_of, sign
from drivers.base import ConfigError
from simulators.office import Office
from tests.clock import ManualClock

GATEWAY = "gh-test01"
DOOR = {"door": "north-gate"}


class Post:
    """A gate with everything before it."""

    def __init__(self, folder: Path, per_minute: int = 60) -> None:
        self.office = Office()
        self.clock = ManualClock()
        self.trust = self.office.trust(folder)
        self.challenges = Challenges(self.clock)
        self.gate = Gate(GATEWAY, self.trust, self.challenges, per_minute)

    def order(self, verb: Verb = Verb.UNLOCK, args: dict[str, Any] | None = None, **more: Any) -> bytes:
        more.setdefault("challenge", self.challenges.word)
        return self.office.order(verb, DOOR if args is None else args, **more)

    def read(self, payload: bytes, verb: str = "unlock", *, retained: bool = False) -> Order | NewKeys | Refused:
        return self.gate.read(verb, payload, retained=retained)

    def admit(self, payload: bytes, verb: str = "unlock") -> Refusal | None:
        order = self.read(payload, verb)
        assert isinstance(order, Order), order
        refused = self.gate.admit(order, self.clock.mono_s(), self.clock.utc())
        return None if refused is None else refused.refusal


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def with_header(token: bytes, **members: Any) -> bytes:
    """The same order with another header; the signature is no longer right."""
    head, body, tail = token.split(b".")
    header = json.loads(base64.urlsafe_b64decode(head + b"=="))
    return b".".join((b64(json.dumps(header | members).encode()), body, tail))


def resigned(post: Post, **claims: Any) -> bytes:
    body = {"id": "a-1", "aud": GATEWAY, "verb": "unlock", "challenge": post.challenges.word, "args": DOOR} | claims
    return sign(post.office.operator, Typ.COMMAND, json.dumps(body).encode())


def test_an_order_in_order_is_taken(post: Post) -> None:
    order = post.read(post.order(args={"door": "north-gate", "for_s": 7}))
    assert isinstance(order, Order)
    assert order.args == UnlockArgs(door="north-gate", for_s=7)
    assert order.signer.name == "值班台 duty desk"
    assert post.admit(post.order()) is None


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by the name that RFC 9864 gives the same algorithm
def test_another_library_signs_what_we_take_and_proves_what_we_sign(post: Post) -> None:
    from joserfc import jws
    from joserfc.jwk import OKPKey

    raw = post.office.operator.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    theirs = OKPKey.import_key(raw)
    for alg in ("EdDSA", "Ed25519"):
        header = {"alg": alg, "kid": theirs.thumbprint(), "typ": "gatehouse-command"}
        token = jws.serialize_compact(header, Token.parse(post.order()).payload, theirs, algorithms=[alg])
        assert isinstance(post.read(token.encode()), Order)
    ours = jws.deserialize_compact(post.order(), theirs, algorithms=["EdDSA"])
    assert ours.headers()["kid"] == kid_of(post.office.operator.public_key())


WRONG: dict[str, tuple[Refusal, Callable[[Post], bytes]]] = {
    "signature changed": (Refusal.FORGED, lambda p: p.order()[:-8] + b"AAAAAAAA"),
    "payload changed": (
        Refusal.FORGED,
        lambda p: b".".join((p.order().split(b".")[0], b64(b"{}"), p.order().split(b".")[2])),
    ),
    "key of nobody": (
        Refusal.UNKNOWN_KEY,
        lambda p: signing.order(Ed25519PrivateKey.generate(), GATEWAY, Verb.UNLOCK, DOOR)[1],
    ),
    "key of ours named, another signs": (
        Refusal.FORGED,
        lambda p: with_header(
            signing.order(Ed25519PrivateKey.generate(), GATEWAY, Verb.UNLOCK, DOOR)[1],
            kid=kid_of(p.office.operator.public_key()),
        ),
    ),
    "signed by a root": (
        Refusal.UNKNOWN_KEY,
        lambda p: signing.order(p.office.roots[0], GATEWAY, Verb.UNLOCK, DOOR)[1],
    ),
    "alg none": (Refusal.WRONG_ALG, lambda p: with_header(p.order(), alg="none")),
    "alg HS256": (Refusal.WRONG_ALG, lambda p: with_header(p.order(), alg="HS256")),
    "alg ES256": (Refusal.WRONG_ALG, lambda p: with_header(p.order(), alg="ES256")),
    "key in the header": (Refusal.BAD_HEADER, lambda p: with_header(p.order(), jwk={"kty": "OKP"})),
    "address of a key": (Refusal.BAD_HEADER, lambda p: with_header(p.order(), jku="https://a.example/k")),
    "certificate in the header": (Refusal.BAD_HEADER, lambda p: with_header(p.order(), x5c=["MII"])),
    "critical extension": (Refusal.BAD_HEADER, lambda p: with_header(p.order(), crit=["b64"], b64=False)),
    "signed as a receipt": (Refusal.WRONG_TYPE, lambda p: sign(p.office.operator, Typ.RECEIPT, b"{}")),
    "no JWS": (Refusal.MALFORMED, lambda p: b'{"verb":"unlock"}'),
    "two parts": (Refusal.MALFORMED, lambda p: p.order().rpartition(b".")[0]),
    "padded base64": (Refusal.MALFORMED, lambda p: p.order() + b"="),
    "not canonical base64": (Refusal.MALFORMED, lambda p: p.order()[:-1] + b"_"),
    "empty": (Refusal.MALFORMED, lambda p: b""),
    "too large": (Refusal.TOO_LARGE, lambda p: b"a" * (MAX_MESSAGE_BYTES + 1)),
    "no JSON": (Refusal.MALFORMED, lambda p: sign(p.office.operator, Typ.COMMAND, b"\xff{")),
    "endless nesting": (Refusal.MALFORMED, lambda p: sign(p.office.operator, Typ.COMMAND, b"[" * 50_000)),
    "unknown field": (Refusal.MALFORMED, lambda p: resigned(p, also="this")),
    "unknown argument": (Refusal.MALFORMED, lambda p: p.order(args={**DOOR, "quietly": True})),
    "argument of another kind": (Refusal.MALFORMED, lambda p: p.order(args={"door": 7})),
    "time out of bounds": (Refusal.MALFORMED, lambda p: p.order(args={**DOOR, "for_s": 1e9})),
    "id that is a topic": (Refusal.MALFORMED, lambda p: resigned(p, id="a/b")),
    "another gateway": (Refusal.WRONG_AUDIENCE, lambda p: p.order(gateway="gh-other1")),
    "another verb": (Refusal.WRONG_VERB, lambda p: p.order(Verb.LOCK)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_an_order_is_said(post: Post, name: str) -> None:
    refusal, make = WRONG[name]
    refused = post.read(make(post))
    assert isinstance(refused, Refused)
    assert refused.refusal is refusal, refused.message


def test_a_retained_order_and_an_unknown_verb_are_refused(post: Post) -> None:
    retained = post.read(post.order(), retained=True)
    assert isinstance(retained, Refused)
    assert retained.refusal is Refusal.RETAINED
    unknown = post.read(post.order(), "open-sesame")
    assert isinstance(unknown, Refused)
    assert unknown.refusal is Refusal.UNKNOWN_VERB


def test_a_key_may_sign_what_its_roles_say_and_nothing_else(tmp_path: Path) -> None:
    post = Post(tmp_path)
    for role in Role:
        token = post.office.keys(2, [role])
        post.trust.use(token, post.trust.check(token))
        for verb, needed in ROLE_OF.items():
            found = post.read(post.order(verb), verb)
            refused = isinstance(found, Refused) and found.refusal is Refusal.NOT_ALLOWED
            assert refused is (needed is not role)


def test_an_order_that_moves_something_quotes_a_word_of_the_last_two_minutes(post: Post) -> None:
    assert post.admit(post.order(challenge=None)) is Refusal.NO_CHALLENGE
    assert post.admit(post.order(challenge="guessed")) is Refusal.STALE_CHALLENGE
    order, offered = post.order(), {post.challenges.word}
    for _ in range(119):
        post.clock._mono_s += 1
        offered.add(post.challenges.word)
        assert post.challenges.fits(json.loads(Token.parse(order).payload)["challenge"])
    assert len(offered) == 2
    assert post.admit(order) is None
    post.clock._mono_s += 1
    assert post.admit(order) is Refusal.STALE_CHALLENGE


def test_no_word_lives_longer_when_nobody_looks(post: Post) -> None:
    order = post.order()
    post.clock._mono_s += 100
    assert post.admit(order) is None
    post.clock._mono_s += 21
    assert post.admit(order) is Refusal.STALE_CHALLENGE


def test_a_word_of_before_a_restart_is_worth_nothing(post: Post) -> None:
    order = post.order()
    post.gate = Gate(GATEWAY, post.trust, Challenges(post.clock), 60)
    assert post.admit(order) is Refusal.STALE_CHALLENGE


def test_expiry_counts_while_the_clock_is_trusted(post: Post) -> None:
    now = post.clock.utc()
    assert now is not None
    assert post.admit(post.order(exp=int((now + timedelta(seconds=1)).timestamp()))) is None
    past = post.order(exp=int((now - timedelta(seconds=1)).timestamp()))
    assert post.admit(past) is Refusal.EXPIRED
    post.clock.set_utc(None)
    assert post.admit(past) is None


def test_a_key_that_gives_too_many_orders_is_slowed_down(tmp_path: Path) -> None:
    post = Post(tmp_path, per_minute=3)
    assert [post.admit(post.order()) for _ in range(4)] == [None, None, None, Refusal.RATE_LIMITED]
    post.clock._mono_s += 61
    assert post.admit(post.order()) is None


def test_without_roots_nothing_counts(tmp_path: Path) -> None:
    post = Post(tmp_path)
    gate = Gate(GATEWAY, Trust.open((), tmp_path / "other"), post.challenges, 60)
    refused = gate.read("unlock", post.order(), retained=False)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.NO_ROOTS


# ---------------------------------------------------------------- key sets


def test_key_sets_roll_forward_only_and_either_root_may_sign(tmp_path: Path) -> None:
    post = Post(tmp_path)
    second = post.office.keys(5, [Role.OBSERVE], root=1)
    found = post.read(second, "keys")
    assert isinstance(found, NewKeys)
    post.trust.keep(found.token)
    post.trust.use(found.token, found.keys)
    for stale in (post.office.keys(4), post.office.keys(5, [Role.UNLOCK])):
        refused = post.read(stale, "keys")
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.OLD_VERSION
    again = Trust.open(post.office.pin(tmp_path), tmp_path / "keys.jws")
    assert again.version == 5
    assert again.signer(kid_of(post.office.operator.public_key())).roles == {Role.OBSERVE}


def test_a_key_that_is_not_in_the_next_set_has_lost_its_rights(post: Post) -> None:
    order = post.order()
    token = signing.key_set(post.office.roots[0], 2, [])
    post.trust.use(token, post.trust.check(token))
    refused = post.read(order)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.UNKNOWN_KEY


def test_a_key_set_of_nobody_and_a_damaged_one_are_refused(post: Post, tmp_path: Path) -> None:
    stranger = signing.key_set(Ed25519PrivateKey.generate(), 9, [])
    twice = signing.key(post.office.operator, "a", Role.UNLOCK)
    bad = [
        (stranger, Refusal.UNKNOWN_KEY),
        (signing.key_set(post.office.operator, 9, []), Refusal.UNKNOWN_KEY),
        (sign(post.office.roots[0], Typ.COMMAND, KeySet(version=9, keys=()).payload()), Refusal.WRONG_TYPE),
        (signing.key_set(post.office.roots[0], 9, [twice, twice]), Refusal.MALFORMED),
        (signing.key_set(post.office.roots[0], 9, [Key(x="A" * 42 + "B", name="a", roles=(Role.UNLOCK,))]),
         Refusal.MALFORMED),
    ]  # fmt: skip
    for token, refusal in bad:
        refused = post.read(token, "keys")
        assert isinstance(refused, Refused)
        assert refused.refusal is refusal
    (tmp_path / "keys.jws").write_bytes(stranger)
    assert Trust.open(post.office.pin(tmp_path), tmp_path / "keys.jws").version == 0


def test_a_root_that_is_no_key_is_named_with_its_cure(tmp_path: Path) -> None:
    root = tmp_path / "root.pub"
    with pytest.raises(ConfigError, match=r"root\.pub"):
        Trust.open((root,), tmp_path / "keys.jws")
    root.write_text("nonsense")
    with pytest.raises(ConfigError, match="no Ed25519 public key"):
        Trust.open((root,), tmp_path / "keys.jws")


# ---------------------------------------------------------------- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIMS = st.fixed_dictionaries({}, optional={
    "id": JSON, "aud": JSON | st.just(GATEWAY), "verb": JSON | st.sampled_from(list(Verb)), "challenge": JSON,
    "exp": JSON, "args": JSON | st.just(DOOR), "more": JSON,
})  # fmt: skip


@given(payload=st.binary(max_size=300) | st.from_regex(rb"[A-Za-z0-9_=.-]{0,200}", fullmatch=True), verb=st.text())
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_get_past_the_gate(post: Post, payload: bytes, verb: str) -> None:
    for topic in (verb, "unlock", "keys"):
        assert isinstance(post.read(payload, topic), Refused)


@given(claims=CLAIMS, verb=st.sampled_from(list(Verb)))
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_a_key_of_ours_signs_is_read_or_refused(post: Post, claims: dict[str, Any], verb: Verb) -> None:
    token = sign(post.office.operator, Typ.COMMAND, json.dumps(claims).encode())
    found = post.read(token, verb)
    if isinstance(found, Order):
        assert (found.command.aud, found.verb) == (GATEWAY, verb)
        post.gate.admit(found, 0.0, post.clock.utc())
    else:
        assert isinstance(found, Refused)


@given(place=st.integers(min_value=0), flip=st.integers(1, 255))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_order_with_one_byte_changed_is_refused(post: Post, place: int, flip: int) -> None:
    token = bytearray(post.order(order_id="same", challenge="same"))
    token[place % len(token)] ^= flip
    assert isinstance(post.read(bytes(token)), Refused)
