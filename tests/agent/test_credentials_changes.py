"""Changes of the card list: snapshots and deltas, what is refused, power cuts, and two who change it at once."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.credentials import (
    Applied,
    CardList,
    Cards,
    ChangeRefused,
    PinResult,
    Reason,
    Refusal,
    add_card,
    apply_change,
    key_path,
    parse_change,
)
from drivers.base import Card

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SALT = "0123456789abcdef" * 2
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cards.json"


def entry(number: int, holder: str = "h", **more: Any) -> dict[str, Any]:
    return {"bits": 34, "number": str(number), "holder": holder, **more}


def snapshot(version: int, *numbers: int, **more: Any) -> bytes:
    cards = [entry(number) for number in numbers]
    return json.dumps({"change": "snapshot", "version": version, "salt": SALT, "cards": cards, **more}).encode()


def delta(base: Applied | None, put: tuple[int, ...] = (), drop: tuple[int, ...] = (), **more: Any) -> bytes:
    """On the list that `base` left, None for no list yet."""
    on = {"version": 0} if base is None else {"version": base.version, "digest": base.digest}
    change = {
        "change": "delta",
        "base": on,
        "version": on["version"] + 1,  # type: ignore[operator]  # it is the number
        "salt": SALT,
        "put": [entry(number) for number in put],
        "drop": [{"bits": 34, "number": str(number)} for number in drop],
    }
    return json.dumps(change | more).encode()


def listed(path: Path, among: range = range(20)) -> set[int]:
    """The cards that are let in."""
    cards = Cards(CardList.load(path))
    return {number for number in among if cards.decide(Card(34, number), "north", NOW).granted}


def refusal(path: Path, change: bytes) -> Refusal:
    """Why it is not applied; the list must be as it was."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(ChangeRefused) as caught:
        apply_change(path, change)
    assert caught.value.hint
    assert (path.read_bytes() if path.exists() else None) == before
    return caught.value.refusal


# ---------------------------------------------------------------- what fits


def test_a_snapshot_and_the_deltas_on_it(path: Path) -> None:
    first = apply_change(path, snapshot(7, 1, 2, 3))
    assert (first.version, first.count, first.put) == (7, 3, 3)
    second = apply_change(path, delta(first, put=(3, 4), drop=(1, 9)))
    assert (second.version, second.count, second.put, second.replaced, second.dropped) == (8, 3, 2, 1, 1)
    assert listed(path) == {2, 3, 4}
    third = apply_change(path, snapshot(9, 5))
    assert (third.count, third.dropped) == (1, 3)
    assert listed(path) == {5}


def test_a_list_may_begin_with_a_delta(path: Path) -> None:
    apply_change(path, delta(None, put=(1,)))
    assert listed(path) == {1}


def test_the_digest_is_of_the_bytes_that_were_sent(path: Path) -> None:
    first, change = snapshot(1, 1), b""
    before = apply_change(path, first)
    assert before.digest == hashlib.sha256(first).hexdigest()
    change = delta(before, put=(2,))
    after = apply_change(path, change)
    assert after.digest == hashlib.sha256(hashlib.sha256(first).digest() + change).hexdigest()
    assert (CardList.load(path).version, CardList.load(path).digest) == (after.version, after.digest)


def test_a_change_that_comes_twice_changes_nothing(path: Path) -> None:
    first = apply_change(path, snapshot(1, 1, 2))
    change = delta(first, drop=(1,))
    for raw in (snapshot(1, 1, 2), change, change):
        apply_change(path, raw)
    assert listed(path) == {2}
    assert CardList.load(path).version == 2


def test_everything_a_card_may_do_is_carried(path: Path) -> None:
    card = entry(1, "3-2-502", doors=["north"], schedules=["day"], valid_until="2026-12-31T16:00:00Z", extended=True,
                 exempt=True, pin="2580", duress="2581")  # fmt: skip
    raw = json.loads(snapshot(1)) | {"cards": [card], "issued": "2026-03-01T08:00:00Z"}
    assert apply_change(path, json.dumps(raw).encode()).issued == NOW
    (kept,) = CardList.load(path).credentials
    assert (kept.holder, kept.doors, kept.schedules, kept.extended, kept.exempt) == (
        "3-2-502", ("north",), ("day",), True, True,
    )  # fmt: skip
    assert kept.valid_until == datetime(2026, 12, 31, 16, tzinfo=UTC)
    cards = Cards(CardList.load(path))
    assert cards.check_pin(kept.reference, "2581") is PinResult.DURESS
    assert cards.decide(Card(34, 1), "south", NOW).reason is Reason.WRONG_DOOR


# ---------------------------------------------------------------- what does not


def test_versions_only_rise(path: Path) -> None:
    first = apply_change(path, snapshot(5, 1))
    assert refusal(path, snapshot(5, 2)) is Refusal.OLD_VERSION
    assert refusal(path, snapshot(4, 2)) is Refusal.OLD_VERSION
    assert refusal(path, delta(first, put=(2,), version=5)) is Refusal.OLD_VERSION


def test_a_delta_on_another_list_is_refused(path: Path) -> None:
    first = apply_change(path, snapshot(5, 1))
    assert refusal(path, delta(None, put=(2,), version=6)) is Refusal.OTHER_BASE
    other = Applied(first.version, "ab" * 32, 1)
    assert refusal(path, delta(other, put=(2,))) is Refusal.OTHER_BASE
    add_card(path, Card(34, 9), "entered on site")
    assert refusal(path, delta(first, put=(2,), version=9)) is Refusal.OTHER_BASE
    assert listed(path) == {1, 9}


def test_one_card_twice_is_refused(path: Path) -> None:
    assert refusal(path, snapshot(1, 1, 1)) is Refusal.TWICE


def test_a_list_has_an_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.credentials.store.MAX_CARDS", 2)
    assert refusal(path, snapshot(1, 1, 2, 3)) is Refusal.TOO_MANY


SECRET = "48213377"
WRONG: list[dict[str, Any]] = [
    {"bits": 0},
    {"bits": 20},
    {"bits": 10**9},
    {"number": int(SECRET)},
    {"number": f"-{SECRET}"},
    {"number": f"x{SECRET}"},
    {"holder": ""},
    {"holder": "a\nb"},
    {"doors": []},
    {"doors": SECRET},
    {"valid_until": "2026-03-01T08:00:00"},
    {"valid_until": SECRET},
    {"valid_until": int(SECRET)},
    {"pin": "12"},
    {"pin": f"{SECRET}9"},
    {"pin": SECRET, "duress": SECRET},
    {"photo": SECRET},
]
MALFORMED: list[Any] = [
    SECRET,
    {SECRET: 1},
    {"change": SECRET},
    {"change": "snapshot", "version": SECRET, "salt": SALT, "cards": []},
    {"change": "snapshot", "version": 1, "salt": SECRET, "cards": []},
    {"change": "snapshot", "version": 1, "salt": SALT, "cards": [], SECRET: SECRET},
    {"change": "snapshot", "version": 1, "salt": SALT, "cards": [SECRET]},
    *(
        {"change": "snapshot", "version": 1, "salt": SALT, "cards": [{**entry(int(SECRET)), **wrong}]}
        for wrong in WRONG
    ),
]


@pytest.mark.parametrize("change", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_change_is_refused_without_a_word_of_what_is_in_it(path: Path, change: object) -> None:
    with pytest.raises(ChangeRefused, match="malformed") as caught:
        apply_change(path, json.dumps(change).encode())
    assert caught.value.refusal is Refusal.MALFORMED
    assert SECRET not in f"{caught.value!r}{caught.value}{caught.value.hint}{caught.value.__cause__}"
    assert not path.exists()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ChangeRefused):
        parse_change(junk)


def test_no_change_shows_its_secrets() -> None:
    raw = json.loads(snapshot(1, int(SECRET)))
    raw["cards"][0] |= {"pin": SECRET, "duress": SECRET[::-1]}
    shown = repr(parse_change(json.dumps(raw).encode()))
    assert not [secret for secret in (SECRET, SECRET[::-1], SALT) if secret in shown]


# ---------------------------------------------------------------- any history

NUMBERS = st.lists(st.integers(0, 19), max_size=6, unique=True)
STEPS = st.lists(st.tuples(st.booleans(), NUMBERS, NUMBERS, st.booleans()), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_any_history_leads_to_the_same_list_as_a_set(steps: list[tuple[bool, list[int], list[int], bool]]) -> None:
    with TemporaryDirectory() as folder:
        path, model, now = Path(folder) / "cards.json", set[int](), Applied(0, None, 0)
        for whole, put, drop, again in steps:
            raw = snapshot(now.version + 1, *put) if whole else delta(now, tuple(put), tuple(drop))
            model = set(put) if whole else (model - set(drop)) | set(put)
            now = apply_change(path, raw)
            if again:
                apply_change(path, raw)
            assert listed(path) == model
            assert now.count == len(CardList.load(path)) == len(model)
        assert CardList.load(path).version == len(steps)


# ---------------------------------------------------------------- power cuts


def crash(folder: Path, change: bytes, what_renames: str) -> list[Path]:
    """The folder after a power cut before each file operation, the last after none."""
    command = [sys.executable, str(ROOT / "tests/agent/credentials_crash.py"), str(folder), what_renames]
    subprocess.run(command, input=change, check=True, timeout=60, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    return sorted((found for found in folder.iterdir() if found.name != "start"), key=lambda f: int(f.name))


@pytest.mark.parametrize("renames", ["keep", "lose"])
def test_a_power_cut_leaves_the_old_list_or_the_new(tmp_path: Path, renames: str) -> None:
    start = tmp_path / "start" / "cards.json"
    change = delta(apply_change(start, snapshot(1, 1, 2, 3)), put=(4,), drop=(1,))
    left = crash(tmp_path, change, renames)
    assert len(left) > 6, "operations were found to interrupt"
    outcomes = []
    for folder in left:
        outcomes.append(listed(folder / "cards.json"))
        apply_change(folder / "cards.json", change)
        assert listed(folder / "cards.json") == {2, 3, 4}, "and the change can be applied again"
        assert sorted(file.name for file in folder.iterdir()) == ["cards.json", "cards.json.key"], "nothing is left"
    assert {frozenset(outcome) for outcome in outcomes} == {frozenset({1, 2, 3}), frozenset({2, 3, 4})}
    assert outcomes == sorted(outcomes, key=lambda numbers: 4 in numbers), "once new, always new"


@pytest.mark.parametrize("renames", ["keep", "lose"])
def test_a_power_cut_at_the_first_list_of_all_leaves_none_or_the_whole(tmp_path: Path, renames: str) -> None:
    (tmp_path / "start").mkdir()
    left = crash(tmp_path, snapshot(1, 1, 2), renames)
    for folder in left:
        path = folder / "cards.json"
        assert not path.exists() or (key_path(path).exists() and listed(path) == {1, 2})
        apply_change(path, snapshot(1, 1, 2))
        assert listed(path) == {1, 2}
    assert (left[-1] / "cards.json").exists()


# ---------------------------------------------------------------- several at once

WRITER = """
import sys
from pathlib import Path
from agent.credentials import add_card
from drivers.base import Card
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 5):
    add_card(Path(sys.argv[1]), Card(34, number), f"h{number}")
"""


def test_commands_at_the_same_time_lose_no_update(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        )
        for first in (0, 5, 10)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n", timeout=30)
        assert writer.returncode == 0
    assert listed(path) == set(range(15))
    assert CardList.load(path).version == 15
