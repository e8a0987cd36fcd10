"""The card list: who is let in, when, with which PIN; what is on the disk, and what is said when a file is wrong."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.credentials import (
    CardList,
    Cards,
    Credential,
    PinDemand,
    PinResult,
    Reason,
    TimeFloor,
    add_card,
    card_digest,
    key_path,
    pin_digest,
    remove_card,
)
from agent.credentials.cardlist import render
from drivers.base import Card, ConfigError
from tests.clock import ManualClock

CARD = Card(26, 12345678)
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.json"


def opened(path: Path, *, by_day: bool = True, floor: TimeFloor | None = None) -> Cards:
    """The list with one schedule, `day`, that holds or not."""
    return Cards(CardList.load(path), holds=lambda schedule, _: schedule == "day" and by_day, floor=floor)


def reason(
    path: Path, card: Card = CARD, door: str = "north", now: datetime | None = NOW, no_clock: str = ""
) -> Reason | None:
    return opened(path).decide(card, door, now, no_clock).reason


# ---------------------------------------------------------------- who is let in


def test_an_entered_card_opens_its_doors_only(path: Path) -> None:
    add_card(path, CARD, "3-2-502", ["north"])
    assert opened(path).decide(CARD, "north", NOW).granted
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


def test_a_schedule_bounds_a_card(path: Path) -> None:
    add_card(path, CARD, "cleaner", schedules=["night", "day"])
    assert opened(path).decide(CARD, "north", NOW).granted
    assert opened(path, by_day=False).decide(CARD, "north", NOW).reason is Reason.SCHEDULE


def test_flags_reach_the_door(path: Path) -> None:
    add_card(path, CARD, "3-2-502", extended=True, exempt=True, pin="2580")
    verdict = opened(path).decide(CARD, "north", NOW)
    assert (verdict.extended, verdict.exempt, verdict.pin) == (True, True, PinDemand.REQUIRED)
    add_card(path, CARD, "3-2-502")
    verdict = opened(path).decide(CARD, "north", NOW)
    assert (verdict.extended, verdict.exempt, verdict.pin) == (False, False, PinDemand.NONE)


# ---------------------------------------------------------------- without a trusted clock


@pytest.mark.parametrize(("no_clock", "said"), [("ignore_schedule", None), ("deny", Reason.NO_CLOCK)])
def test_without_any_time_the_door_decides_what_a_limit_means(path: Path, no_clock: str, said: Reason | None) -> None:
    add_card(path, CARD, "tenant", valid_until=NOW)
    add_card(path, Card(26, 1), "cleaner", schedules=["day"])
    add_card(path, Card(26, 2), "resident")
    assert reason(path, CARD, now=None, no_clock=no_clock) is said
    assert reason(path, Card(26, 1), now=None, no_clock=no_clock) is said
    assert reason(path, Card(26, 2), now=None, no_clock=no_clock) is None, "nothing of it depends on the time"
    assert reason(path, Card(26, 2), door="north", now=None) is None


def test_dates_are_judged_by_the_newest_time_ever_verified(path: Path, tmp_path: Path) -> None:
    add_card(path, CARD, "tenant", valid_until=NOW)
    add_card(path, Card(26, 1), "next tenant", valid_from=NOW)
    floor = TimeFloor(tmp_path / "floor", ManualClock())
    cards = opened(path, floor=floor)
    floor.verify(NOW - DAY)
    assert cards.decide(CARD, "north", None, "deny").granted
    assert cards.decide(Card(26, 1), "north", None).reason is Reason.NOT_YET_VALID
    floor.verify(NOW)
    assert cards.decide(CARD, "north", None).reason is Reason.EXPIRED
    assert cards.decide(CARD, "north", NOW - DAY).reason is Reason.EXPIRED, "a clock set back brings no card back"
    assert cards.decide(Card(26, 1), "north", None).granted


def test_a_clock_behind_the_floor_is_not_trusted_with_schedules(path: Path, tmp_path: Path) -> None:
    add_card(path, CARD, "cleaner", schedules=["day"])
    floor = TimeFloor(tmp_path / "floor", ManualClock())
    floor.verify(NOW)
    cards = opened(path, floor=floor)
    assert cards.decide(CARD, "north", NOW - DAY, "deny").reason is Reason.NO_CLOCK
    assert cards.decide(CARD, "north", NOW - timedelta(minutes=1), "deny").granted, "merely slow"


async def test_the_floor_rises_with_the_monotonic_clock_and_never_falls(tmp_path: Path) -> None:
    clock = ManualClock(utc=None)
    floor = TimeFloor(tmp_path / "floor", clock)
    assert floor.at is None
    floor.verify(NOW)
    await clock.advance(3600)
    floor.verify(NOW - DAY)
    assert floor.at == NOW + timedelta(hours=1)


async def test_the_floor_outlives_a_restart_at_most_an_hour_behind(tmp_path: Path) -> None:
    clock, file = ManualClock(utc=None), tmp_path / "state" / "floor"
    floor = TimeFloor(file, clock)
    floor.sync()
    assert not file.exists(), "nothing was verified"
    floor.verify(NOW)
    floor.sync()
    await clock.advance(3599)
    floor.sync()
    again = TimeFloor(file, ManualClock())
    again.sync()
    assert again.at == NOW
    await clock.advance(1)
    floor.sync()
    again = TimeFloor(file, ManualClock())
    again.verify(NOW - DAY)
    again.sync()
    assert again.at == NOW + timedelta(hours=1)


def test_a_damaged_floor_counts_as_none_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "floor").write_text("yesterday")
    floor = TimeFloor(tmp_path / "floor", ManualClock())
    floor.sync()
    assert floor.at is None
    assert str(tmp_path / "floor") in caplog.text


# ---------------------------------------------------------------- PINs


def test_a_pin_and_its_duress_pin(path: Path) -> None:
    reference = add_card(path, CARD, "3-2-502", pin="2580", duress="2581").reference
    cards = opened(path)
    assert cards.check_pin(reference, "2580") is PinResult.OK
    assert cards.check_pin(reference, "2581") is PinResult.DURESS
    for wrong in ("", "258", "25800", "2582"):
        assert cards.check_pin(reference, wrong) is PinResult.WRONG


def test_a_card_without_a_pin_knows_no_right_one(path: Path) -> None:
    reference = add_card(path, CARD, "3-2-502").reference
    assert opened(path).check_pin(reference, "") is PinResult.WRONG
    assert opened(path).check_pin("0" * 10, "2580") is PinResult.WRONG


def test_the_same_pin_on_two_cards_is_kept_differently(path: Path) -> None:
    one = add_card(path, CARD, "3-2-502", pin="2580")
    other = add_card(path, Card(26, 1), "3-2-503", pin="2580")
    assert one.pin != other.pin


@pytest.mark.parametrize(
    ("pin", "duress", "said"),
    [("123", None, "pin"), ("123456789", None, "pin"), ("12a4", None, "pin"), ("2580", "2580", "not valid")],
)
def test_a_bad_pin_is_refused_and_not_shown(path: Path, pin: str, duress: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        add_card(path, CARD, "x", pin=pin, duress=duress)
    assert pin not in str(caught.value)
    assert not path.exists()


# ---------------------------------------------------------------- what is on the disk


def test_the_number_is_nowhere_to_be_read(path: Path) -> None:
    card = Card(56, 0x4AB1C2D3E4F5A6)
    added = add_card(path, card, "3-2-502", pin="25802580")
    verdict = opened(path).decide(card, "north", NOW)
    text = path.read_text() + key_path(path).read_text() + repr(added) + repr(verdict) + repr(CardList.load(path))
    for secret in (str(card.number), f"{card.number:x}", "25802580"):
        assert secret not in text.lower()
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
    for nothing in (added.reference, "", str(CARD.number)):
        with pytest.raises(ConfigError, match="no such card") as caught:
            remove_card(path, nothing)
        assert str(CARD.number) not in str(caught.value), "a number given for a reference is not repeated"
    remove_card(path, Card(34, 9))
    assert len(CardList.load(path)) == 0
    with pytest.raises(ConfigError, match="no such card"):
        remove_card(path, CARD)


def test_every_change_made_here_is_a_version(path: Path) -> None:
    add_card(path, CARD, "a")
    first = CardList.load(path)
    remove_card(path, CARD)
    second = CardList.load(path)
    assert (first.version, second.version) == (1, 2)
    assert len({first.digest, second.digest, None}) == 3


def test_an_empty_list_denies_everybody() -> None:
    verdict = Cards(CardList.empty()).decide(CARD, "north", NOW)
    assert (verdict.granted, verdict.reason) == (False, Reason.UNKNOWN_CARD)


def test_a_card_entered_twice_is_refused() -> None:
    entry = Credential(card_digest(b"k", CARD), "one")
    with pytest.raises(ConfigError, match="twice"):
        CardList.of(b"k", (entry, entry))


def test_fifty_thousand_cards_are_one_look_up() -> None:
    key = b"k" * 32
    cards = Cards(CardList.of(key, (Credential(card_digest(key, Card(34, n)), f"h{n}") for n in range(50_000))))
    assert len(cards) == 50_000
    assert all(cards.decide(Card(34, n), "north", NOW).granted for n in range(0, 50_000, 499))
    assert not cards.decide(Card(34, 50_000), "north", NOW).granted


def test_references_that_begin_alike_are_told_apart_by_their_pin() -> None:
    key, cards = b"k" * 32, ("0123456789" + "a" * 54, "0123456789" + "b" * 54)
    listed = CardList.of(key, (Credential(c, "h", pin=pin_digest(key, c, f"111{n}")) for n, c in enumerate(cards)))
    assert listed.check_pin("0123456789", "1110") is PinResult.OK
    assert listed.check_pin("0123456789", "1111") is PinResult.OK
    assert listed.check_pin("0123456789", "1112") is PinResult.WRONG


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 200), st.integers(0, 2**200), st.integers(0, 200), st.integers(0, 2**200))
def test_two_cards_share_no_digest(bits: int, number: int, other_bits: int, other_number: int) -> None:
    one, other = Card(bits, number), Card(other_bits, other_number)
    assert (card_digest(b"k", one) == card_digest(b"k", other)) == (one == other)


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
        ("\n\n", "not a card list"),
        ('{"format": "gatehouse-cards-1"}\n', "format: Input should be 'gatehouse-cards-2'"),
        ('{"12345678": 1, "key_check": "", "count": 0, "seal": ""}\n', "…: Extra inputs"),
        ('{"key_check": "12345678", "count": "x12345678", "seal": ""}\n', "count: Input should be"),
    ],
)
def test_a_damaged_list_is_told_by_place_and_never_by_value(path: Path, content: str, complaint: str) -> None:
    add_card(path, CARD, "3-2-502")
    path.write_text(content)
    text = said(path)
    assert str(path) in text
    assert complaint in text
    assert "12345678" not in text


def test_a_list_changed_by_hand_is_refused(path: Path) -> None:
    add_card(path, CARD, "3-2-502", ["north"])
    good = path.read_bytes()
    for bad in (good.replace(b"north", b"south"), good[:-1], good + good.splitlines()[1] + b"\n", good[:-40]):
        path.write_bytes(bad)
        assert "damaged" in said(path)


def test_a_header_changed_by_hand_is_refused(path: Path) -> None:
    add_card(path, CARD, "3-2-502")
    text = path.read_text()
    for bad in (text.replace('"count":1', '"count":2'), text.replace('"version":1', '"version":9')):
        path.write_text(bad)
        assert "damaged" in said(path)


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
    head, line = path.read_text().splitlines()
    header = json.loads(head)
    assert set(header) == {"format", "key_check", "version", "digest", "count", "seal"}
    assert (header["format"], header["version"], header["count"]) == ("gatehouse-cards-2", 1, 1)
    card, _, rest = line.partition(" ")
    assert len(card) == 64
    assert json.loads(rest) == {"holder": "3-2-502", "doors": ["north"], "valid_until": "2026-03-01T08:00:00Z"}


def test_lines_are_sorted_and_sealed(path: Path) -> None:
    for n in range(20):
        add_card(path, Card(26, n), f"h{n}")
    cards = CardList.load(path)
    lines = path.read_bytes().splitlines()[1:]
    assert lines == sorted(lines)
    _, text = render(cards.key, cards.lines(), cards.version, cards.digest)
    assert text == path.read_bytes()
