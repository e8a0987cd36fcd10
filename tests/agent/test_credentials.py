"""The card list: who is let in, what is on the disk, and what is said when a file is wrong."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.credentials import (
    CardList,
    Credential,
    Reason,
    add_card,
    card_digest,
    key_path,
    remove_card,
)
from drivers.base import Card, ConfigError

CARD = Card(26, 12345678)
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.json"


def reason(path: Path, card: Card = CARD, door: str = "north", now: datetime | None = NOW) -> Reason | None:
    return CardList.load(path).decide(card, door, now).reason


def test_an_entered_card_opens_its_doors_only(path: Path) -> None:
    add_card(path, CARD, "3-2-502", ["north"])
    assert CardList.load(path).decide(CARD, "north", NOW).granted
    assert reason(path, door="south") is Reason.WRONG_DOOR
    assert reason(path, Card(26, 1)) is Reason.UNKNOWN_CARD
    assert reason(path, Card(34, CARD.number)) is Reason.UNKNOWN_CARD, "another length is another card"


def test_a_card_without_doors_opens_all(path: Path) -> None:
    add_card(path, CARD, "guard")
    assert reason(path, door="anything") is None


def test_dates_bound_a_card(path: Path) -> None:
    add_card(path, CARD, "tenant", valid_from=NOW - DAY, valid_until=NOW + DAY)
    assert reason(path) is None
    assert reason(path, now=NOW - 2 * DAY) is Reason.NOT_YET_VALID
    assert reason(path, now=NOW + DAY) is Reason.EXPIRED
    assert reason(path, now=None) is None, "dates are not judged by a clock nobody trusts"


def test_the_number_is_nowhere_to_be_read(path: Path) -> None:
    card = Card(56, 0x4AB1C2D3E4F5A6)
    added = add_card(path, card, "3-2-502")
    verdict = CardList.load(path).decide(card, "north", NOW)
    text = path.read_text() + key_path(path).read_text() + repr(added) + repr(verdict) + repr(CardList.load(path))
    assert str(card.number) not in text
    assert f"{card.number:x}" not in text.lower()
    assert verdict.reference == added.reference
    assert len(added.reference) == 10
    assert added.card not in repr(added)


def test_files_are_private(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    for file in (path, key_path(path)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(file.name for file in path.parent.iterdir()) == ["cards.json", "cards.json.key"], "nothing left over"


def test_entering_a_card_again_replaces_its_entry(path: Path) -> None:
    add_card(path, CARD, "old", ["north"])
    add_card(path, CARD, "new")
    assert [credential.holder for credential in CardList.load(path).credentials] == ["new"]


def test_a_removed_card_is_denied(path: Path) -> None:
    added = add_card(path, CARD, "3-2-502")
    add_card(path, Card(34, 9), "3-2-503")
    assert remove_card(path, added.reference).holder == "3-2-502"
    assert reason(path) is Reason.UNKNOWN_CARD
    assert reason(path, Card(34, 9)) is None
    with pytest.raises(ConfigError, match="no such card"):
        remove_card(path, added.reference)
    with pytest.raises(ConfigError, match="no such card: ''"):
        remove_card(path, "")
    remove_card(path, Card(34, 9))
    assert len(CardList.load(path)) == 0
    with pytest.raises(ConfigError, match="no such card"):
        remove_card(path, CARD)


def test_an_empty_list_denies_everybody() -> None:
    verdict = CardList.empty().decide(CARD, "north", NOW)
    assert (verdict.granted, verdict.reason) == (False, Reason.UNKNOWN_CARD)


def test_a_card_entered_twice_by_hand_is_refused() -> None:
    entry = Credential(card_digest(b"k", CARD), "one")
    with pytest.raises(ConfigError, match="twice"):
        CardList(b"k", (entry, entry))


def test_fifty_thousand_cards_are_one_look_up() -> None:
    key = b"k" * 32
    cards = CardList(key, (Credential(card_digest(key, Card(34, n)), f"h{n}") for n in range(50_000)))
    assert len(cards) == 50_000
    assert cards.decide(Card(34, 49_999), "north", NOW).granted
    assert not cards.decide(Card(34, 50_000), "north", NOW).granted


# ---------------------------------------------------------------- wrong files


def said(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        CardList.load(path)
    assert caught.value.hint, "every complaint names a cure"
    return str(caught.value)


def test_a_missing_list_is_named(path: Path) -> None:
    assert said(path) == f"{path}: no such card list"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not a card list"),
        ("{", "not a card list"),
        ("[]", "not a card list"),
        ('{"version": 2, "key_check": "", "credentials": []}', "version: Input should be 1"),
        ('{"version": 1, "key_check": "", "credentials": [], "extra": 1}', "extra: Extra inputs"),
        (
            '{"version": 1, "key_check": "", "credentials": [{"card": "12345678", "holder": "x"}]}',
            "credentials.0.card: String should match",
        ),
    ],
)
def test_a_damaged_list_is_told_by_place_and_never_by_value(path: Path, content: str, complaint: str) -> None:
    add_card(path, CARD, "3-2-502")
    path.write_text(content)
    text = said(path)
    assert str(path) in text
    assert complaint in text
    assert "12345678" not in text


def test_a_list_without_its_key_is_refused(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    key_path(path).unlink()
    assert "missing" in said(path)
    with pytest.raises(ConfigError):
        add_card(path, CARD, "another")


def test_a_list_with_another_key_is_refused(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    key_path(path).write_text("ab" * 32)
    assert "another key" in said(path)


@pytest.mark.parametrize("content", [b"", b"abc", b"zz" * 32, b"\xff" * 64])
def test_a_key_that_is_none_is_refused_and_not_shown(path: Path, content: bytes) -> None:
    add_card(path, CARD, "3-2-502")
    key_path(path).write_bytes(content)
    assert "not a key of 32 bytes" in said(path)


def test_a_key_others_may_read_is_refused(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    key_path(path).chmod(0o640)
    assert "may be read by others" in said(path)


def test_a_bad_holder_leaves_the_list_as_it_was(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="holder"):
        add_card(path, Card(26, 1), "")
    with pytest.raises(ConfigError, match="valid_until"):
        add_card(path, Card(26, 1), "x", valid_until=datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is the point
    assert path.read_bytes() == before


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        add_card(tmp_path / "file" / "cards.json", CARD, "x")


def test_the_format_stands(path: Path) -> None:
    add_card(path, CARD, "3-2-502", ["north"], valid_until=NOW)
    content = json.loads(path.read_text())
    assert content["version"] == 1
    (entry,) = content["credentials"]
    assert set(entry) == {"card", "holder", "doors", "valid_until"}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 200), st.integers(0, 2**200), st.integers(0, 200), st.integers(0, 2**200))
def test_two_cards_share_no_digest(bits: int, number: int, other_bits: int, other_number: int) -> None:
    one, other = Card(bits, number), Card(other_bits, other_number)
    assert (card_digest(b"k", one) == card_digest(b"k", other)) == (one == other)
