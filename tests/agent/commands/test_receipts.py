"""Receipts release entries only under the signature of a key that may issue them."""

from pathlib import Path

import pytest

from agent.contract import LaneReceipt, Receipt
from agent.contract.commands import Role
from agent.contract.jws import FlawError, Typ, sign
from agent.events import Lane
from agent.journal import Journal
from agent.uplink.receipts import REJECTED_EVERY_S, Receipts, Trouble, TroubleCode
from simulators.office import Office
from tests.clock import ManualClock
from tests.journal import draft, opened


def receipt(journal: Journal, counter: int, upto: int = 3) -> bytes:
    said = LaneReceipt(upto=upto, digest=journal.lanes[Lane.ALARM].digest.hex())
    return Receipt(gateway="gh-test01", epoch=journal.epoch, counter=counter, lanes={Lane.ALARM: said}).payload()


async def test_a_forged_receipt_releases_nothing_and_is_told_once_an_hour(tmp_path: Path) -> None:
    office, clock, troubles = Office(), ManualClock(), list[Trouble]()
    trust = office.trust(tmp_path / "trust")
    async with opened(tmp_path / "journal") as journal:
        for number in range(3):
            await journal.append(draft(Lane.ALARM, number))
        receipts = Receipts("gh-test01", journal, clock, troubles.append, trust.receipt)
        plain = receipt(journal, 1)
        for forged in (plain, Office().receipt(plain), sign(office.operator, Typ.COMMAND, plain),
                       office.receipt(plain)[:-4] + b"AAAA"):  # fmt: skip
            await receipts._read(forged)
        assert journal.lanes[Lane.ALARM].confirmed == 0
        assert [(t.code, t.count) for t in troubles] == [(TroubleCode.RECEIPT_FORGED, 1)]
        clock._mono_s += REJECTED_EVERY_S
        await receipts._read(plain)
        assert troubles[-1].count == 4
        await receipts._read(office.receipt(receipt(journal, 5)))
        assert journal.lanes[Lane.ALARM].confirmed == 3
        assert receipts.counter == 5
        await receipts._read(office.receipt(receipt(journal, 4)))
        assert receipts.stale


async def test_receipts_that_cannot_be_read_are_told_once_an_hour_and_in_few_words(tmp_path: Path) -> None:
    clock, troubles = ManualClock(), list[Trouble]()
    async with opened(tmp_path) as journal:
        receipts = Receipts("gh-test01", journal, clock, troubles.append)
        strange = receipt(journal, 1).replace(b'"alarm"', b'"%s"' % (b"x" * 100_000))
        for _ in range(50):
            await receipts._read(strange)
        assert [(t.code, t.count) for t in troubles] == [(TroubleCode.RECEIPT_UNREADABLE, 1)]
        assert len(troubles[0].reason) < 300
        clock._mono_s += REJECTED_EVERY_S
        await receipts._read(b"nonsense")
        assert troubles[-1].count == 50


def test_a_key_without_the_role_issues_no_receipts(tmp_path: Path) -> None:
    office = Office()
    trust = office.trust(tmp_path, [role for role in Role if role is not Role.RECEIPT])
    with pytest.raises(FlawError, match="may not issue receipts"):
        trust.receipt(office.receipt(b"{}"))
