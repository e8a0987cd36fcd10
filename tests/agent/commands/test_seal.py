"""Changes of the card list: readable by one gateway alone, whole or in parts, applied or refused with a reason."""

from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey

from agent.commands.seal import PART_BYTES, Parts, Seal, SealError, in_parts, seal
from agent.commands.verbs import Site, Verbs
from agent.contract.commands import CredentialsArgs, Verb, Verdict
from agent.credentials import CardList, CardNumber, Delta, Entry, Snapshot, render_change
from agent.credentials.changes import Base
from drivers.base import Card
from tests.agent.commands.test_desk import desk

SALT = "0" * 32


def snapshot(version: int, cards: int = 1) -> bytes:
    entries = tuple(Entry(bits=26, number=str(1000 + n), holder="3-502") for n in range(cards))
    return render_change(Snapshot(version=version, salt=SALT, cards=entries))


def own(path: Path) -> Seal:
    found = Seal.open(path)
    assert found is not None
    return found


def test_only_the_gateway_it_was_encrypted_to_can_read_it(tmp_path: Path) -> None:
    here, there = own(tmp_path / "here.key"), own(tmp_path / "there.key")
    assert (tmp_path / "here.key").stat().st_mode & 0o077 == 0
    text = seal(here.public, b"3-502")
    assert own(tmp_path / "here.key").unseal(text) == b"3-502", "the key is kept"
    for wrong in (text[:-4] + "AAAA", text.replace(".", "", 1), "", "a.b.c.d.e"):
        with pytest.raises(SealError):
            here.unseal(wrong)
    with pytest.raises(SealError):
        there.unseal(text)


@pytest.mark.parametrize(("alg", "enc"), [("ECDH-ES+A256KW", "A256GCM"), ("ECDH-ES", "A128CBC-HS256")])
def test_other_algorithms_and_compression_are_refused(tmp_path: Path, alg: str, enc: str) -> None:
    here = own(tmp_path / "here.key")
    key: Any = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": here.public.x})
    with pytest.raises(SealError):
        here.unseal(jwe.encrypt_compact({"alg": alg, "enc": enc}, b"x", key, [alg, enc]))
    zipped = {"alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF"}
    with pytest.raises(SealError):
        here.unseal(jwe.encrypt_compact(zipped, b"x" * 99, key, ["ECDH-ES", "A256GCM", "DEF"]))
    other = ECKey.generate_key("P-256")
    with pytest.raises(SealError):
        here.unseal(jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, b"x", other, ["ECDH-ES", "A256GCM"]))


def test_parts_come_in_any_order_and_those_of_another_text_are_not_mixed_in(tmp_path: Path) -> None:
    here = own(tmp_path / "here.key")
    text = seal(here.public, snapshot(1, 4000))
    first, second, *rest = in_parts(text)
    assert len(rest) >= 1
    assert max(len(part.jwe) for part in (first, second, *rest)) <= PART_BYTES
    parts = Parts()
    assert parts.add(second) is None
    other = in_parts(seal(here.public, snapshot(2, 4000)))
    assert parts.add(other[0]) is None
    assert [parts.add(part) for part in (second, second, *rest)] == [None] * (2 + len(rest))
    assert parts.add(first) == text
    with pytest.raises(SealError):
        Parts().add(first.model_copy(update={"part": 99}))
    liar = Parts()
    liar.add(first.model_copy(update={"parts": 2}))
    with pytest.raises(SealError, match="not those of one text"):
        liar.add(second.model_copy(update={"parts": 2}))


async def test_the_centre_changes_the_list_and_hears_why_a_change_does_not_fit(tmp_path: Path) -> None:
    here, path = own(tmp_path / "here.key"), tmp_path / "cards"

    async with desk(tmp_path) as made:
        site = made.commands._verbs._site
        made.commands._verbs = Verbs(Site(
            site.doors, site.outputs, site.order, site.resend, site.restart, site.audit, path, here,
        ), made._clock)  # fmt: skip

        async def send(order_id: str, change: bytes) -> tuple[Verdict, str | None]:
            for number, args in enumerate(in_parts(seal(here.public, change))):
                given = args.model_dump(exclude_none=True)
                reply = await made.ask(f"{order_id}-{number}", Verb.CREDENTIALS, given)
            return reply.outcome, reply.reason

        assert await send("a", snapshot(7, 4000)) == (Verdict.DONE, None)
        cards = CardList.load(path)
        assert (cards.version, len(cards)) == (7, 4000)
        drop = Delta(version=8, salt=SALT, base=Base(version=7, digest=cards.digest),
                     drop=(CardNumber.of(Card(26, 1000)),))  # fmt: skip
        assert await send("b", render_change(drop)) == (Verdict.DONE, None)
        assert len(CardList.load(path)) == 3999
        assert await send("c", snapshot(8)) == (Verdict.REFUSED, "old_version")
        assert await send("d", b"{}") == (Verdict.REFUSED, "malformed")
        nobody = CredentialsArgs(jwe="a.b.c.d.e").model_dump(exclude_none=True)
        assert (await made.ask("e", Verb.CREDENTIALS, nobody)).reason == "not_decrypted"
        assert "1000" not in (tmp_path / "audit.log").read_text()
