"""Cards from CSV: what is taken, what is rejected and how that is said, and `gatehouse card` around it."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli import main
from agent.credentials import CardList, Cards
from agent.credentials.importing import House, masked, read_cards
from agent.credentials.numbers import Form, card_of
from agent.credentials.table import COLUMNS, CellError
from agent.words import Lang
from drivers.base import Card

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
NUMBER = "48213377"
HOUSE = House(
    doors={"east-gate": "east-gate", "东门": "east-gate", "East gate": "east-gate", "west-gate": "west-gate"},
    schedules={"working-hours": "working-hours", "工作时间": "working-hours"},
    zone=ZoneInfo("Asia/Shanghai"),
    bits=34,
)


def read(text: str, encoding: str = "utf-8") -> Any:
    return read_cards(text.encode(encoding), HOUSE)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("text", "bits", "form", "card"),
    [
        ("12345678", 32, None, Card(32, 12345678)),
        ("0x00bc614e", 32, None, Card(32, 12345678)),
        ("12345678", 26, Form.RAW, Card(26, 12345678)),
        ("0", 26, None, Card(26, 1)),  # even parity 0, odd parity 1
        ("16777215", 26, None, Card(26, 0b0_111111111111_111111111111_1)),
        ("1", 26, None, Card(26, 0b0_000000000000_000000000001_0)),
        ("1,0", 26, None, Card(26, 0b1_000000010000_000000000000_1)),
        ("188:24910", 26, Form.PRINTED, card_of(str(188 << 16 | 24910), 26)),
        ("0012345678", 34, None, card_of("12345678", 34)),
        (str(1 << 16), 34, None, Card(34, 1 << 33 | 1 << 17 | 1)),
        (str(1 << 17), 37, None, Card(37, 1 << 36 | 1 << 18 | 0)),  # the middle bit counts in both halves
    ],
)
def test_a_number_becomes_the_bits_a_reader_delivers(text: str, bits: int, form: Form | None, card: Card) -> None:
    assert card_of(text, bits, form) == card


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([26, 34, 37]), st.data())
def test_every_printed_number_has_right_parity(bits: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2 ** (bits - 2) - 1))
    raw, half = card_of(str(number), bits).number, (bits - 1) // 2
    assert (raw >> 1) & ((1 << (bits - 2)) - 1) == number
    assert (raw >> (bits - 1 - half)).bit_count() % 2 == 0
    assert (raw & ((1 << (half + 1)) - 1)).bit_count() % 2 == 1


@pytest.mark.parametrize(
    ("text", "bits"),
    [("", 26), ("12a", 26), ("-1", 26), ("1.5", 26), (str(1 << 24), 26), ("256,1", 26), ("1,65536", 26), ("1", 0),
     ("1", 513), ("4.8E+07", 26), ("0x", 26), ("９" * 200, 26), ("1 2 3", 26)],
)  # fmt: skip
def test_what_is_no_number_is_refused_and_not_repeated(text: str, bits: int) -> None:
    with pytest.raises(CellError) as caught:
        card_of(text, bits)
    assert caught.value.cure.en
    assert caught.value.cure.zh
    assert text not in str(caught.value) or len(text) < 3


def test_a_rounded_number_is_told_as_such() -> None:
    with pytest.raises(CellError, match="rounded"):
        card_of("4.82134E+07", 34)


@pytest.mark.parametrize(("text", "shown"), [(NUMBER, "…77"), ("12345", "…"), ("", "…"), ("188,24910", "…10")])
def test_a_masked_number_shows_two_digits_at_most(text: str, shown: str) -> None:
    assert masked(text) == shown


# ---------------------------------------------------------------- what is taken

ENGLISH = f"""card,holder,doors,schedules,valid_until,pin,duress,extended
{NUMBER},3-502,east-gate;west-gate,working-hours,2026-12-31,2580,2581,yes
"""
CHINESE = f"""持卡人,卡号,门,时段,失效日期,密码,胁迫密码,延时
3-502,{NUMBER},东门；west-gate,工作时间,2026年12月31日,2580,2581,是
"""


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(ENGLISH, "utf-8"), (ENGLISH.replace(",", "\t"), "utf-8"), (ENGLISH.replace(";", "|").replace(",", ";"), "utf-8"),
     (ENGLISH.replace("\n", "\r\n"), "utf-8-sig"), (CHINESE, "utf-8"), (CHINESE, "utf-8-sig"), (CHINESE, "gb18030"),
     (CHINESE.replace("2580", "２５８０"), "gb18030"), ("\n\n" + CHINESE + "\n,,,,,,,\n", "utf-8")],
)  # fmt: skip
def test_a_line_is_understood_however_it_was_saved(text: str, encoding: str) -> None:
    found = read(text, encoding)
    assert found.rejected == []
    (entry,) = found.entries
    assert entry.card == card_of(NUMBER, 34)
    assert (entry.holder, entry.doors, entry.schedules) == ("3-502", ("east-gate", "west-gate"), ("working-hours",))
    assert entry.valid_until == datetime(2026, 12, 31, 16, tzinfo=UTC), "the last day counts whole"
    assert (entry.pin, entry.duress, entry.extended, entry.exempt) == ("2580", "2581", True, False)


def test_what_is_left_out_is_unlimited() -> None:
    (entry,) = read(f"card,holder\n{NUMBER},x\n").entries
    assert (entry.doors, entry.schedules, entry.valid_from, entry.pin) == (None, None, None, None)


def test_length_and_form_may_stand_in_the_line() -> None:
    found = read("card,holder,bits,form\n4711,a,26,\n4711,b,32,\n4711,c,26,raw\n4711,d,34,卡面\n")
    assert [entry.card for entry in found.entries] == [
        card_of("4711", 26), Card(32, 4711), Card(26, 4711), card_of("4711", 34)
    ]  # fmt: skip


# ---------------------------------------------------------------- what is rejected

REJECTED = [
    ("card,holder", "abc,x", "no card number"),
    ("card,holder", "4.82134E+07,x", "rounded"),
    ("card,holder", f"{1 << 40},x", "does not fit"),
    ("card,holder", f"{NUMBER},", "holder"),
    ("card,holder", f"{NUMBER},{'x' * 61}", "holder"),
    ("card,holder", f"{NUMBER},a\x07b", "holder"),
    ("card,holder,bits", f"{NUMBER},x,many", "bits is no number"),
    ("card,holder,bits", f"{NUMBER},x,600", "from 1 to 512 bits"),
    ("card,holder,bits,form", f"{NUMBER},x,32,printed", "not known"),
    ("card,holder,form", f"{NUMBER},x,{NUMBER}", "form is not known"),
    ("card,holder,doors", f"{NUMBER},x,north", "names a door"),
    ("card,holder,doors", f"{NUMBER},x,;", "names a door"),
    ("card,holder,doors", f"{NUMBER},x,{NUMBER}", "names a door"),
    ("card,holder,schedules", f"{NUMBER},x,{NUMBER}", "names a schedule"),
    ("card,holder,valid_until", f"{NUMBER},x,31.12.2026", "no date"),
    ("card,holder,valid_until", f"{NUMBER},x,2026-02-30", "no date"),
    ("card,holder,valid_until", f"{NUMBER},x,2026-02-01 25:00", "no date"),
    ("card,holder,valid_until", f"{NUMBER},x,{NUMBER}", "no date"),
    ("card,holder,valid_from,valid_until", f"{NUMBER},x,2026-03-02,2026-03-01", "ends before it begins"),
    ("card,holder,pin", f"{NUMBER},x,123", "pin is not 4 to 8 digits"),
    ("card,holder,pin", f"{NUMBER},x,{NUMBER}9", "pin is not"),
    ("card,holder,pin,duress", f"{NUMBER},x,2580,2580", "duress PIN"),
    ("card,holder,pin,duress", f"{NUMBER},x,,2580", "duress PIN"),
    ("card,holder,exempt", f"{NUMBER},x,{NUMBER}", "exempt is neither"),
    ("card,holder,doors", f"{NUMBER},x", "has 2 cells"),
    ("card,holder", f"{NUMBER},x,{NUMBER}", "has 3 cells"),
    ("card,holder", f'"{NUMBER}"{NUMBER},x', "quotes"),
]


@pytest.mark.parametrize(
    ("titles", "line", "said"), REJECTED, ids=[f"{said}-{n}" for n, (*_, said) in enumerate(REJECTED)]
)
def test_a_bad_line_is_rejected_alone_with_reason_and_cure(titles: str, line: str, said: str) -> None:
    more = "," * titles.count(",")
    found = read(f"{titles}\n1,good{more[1:]}\n{line}\n2,good{more[1:]}\n")
    assert [entry.card for entry in found.entries] == [card_of("1", 34), card_of("2", 34)]
    (rejected,) = found.rejected
    assert rejected.line == 3
    assert said in rejected.reason.en
    for lang in Lang:
        assert rejected.cure.to(lang)
        assert NUMBER not in rejected.reason.to(lang) + rejected.cure.to(lang) + rejected.card
    assert rejected.card in ("", "…", "…77", "…76", "…07")


def test_a_card_named_twice_is_taken_once() -> None:
    found = read(f"card,holder\n{NUMBER},a\n1,b\n00{NUMBER},c\n")
    assert [entry.holder for entry in found.entries] == ["a", "b"]
    (rejected,) = found.rejected
    assert (rejected.line, rejected.card) == (4, "…77")
    assert "line 2" in rejected.reason.en


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not name the columns"),
        (b"\n\n", "does not name the columns"),
        (f"{NUMBER},x\n".encode(), "column 1 is not known"),
        (f"card,holder,{NUMBER}\n".encode(), "column 3 is not known"),
        (b"card,holder,valid_untill\n", "column 3 is not known"),
        (b"card,card\n", "second card"),
        (b"card,doors\n", "does not name the columns"),
        (b'"card,holder\n', "does not name the columns"),
        ("card,holder\n".encode("utf-16"), "neither UTF-8 nor GB18030"),
        (b"card,holder\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
        (b"x" * ((32 << 20) + 1), "larger than 32 MiB"),
    ],
)
def test_a_file_that_is_no_table_is_rejected_whole(content: bytes, said: str) -> None:
    found = read_cards(content, HOUSE)
    assert found.entries == []
    (rejected,) = found.rejected
    assert said in rejected.reason.en
    assert NUMBER not in rejected.reason.en + rejected.cure.en + rejected.reason.zh + rejected.cure.zh


def test_a_file_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.credentials.table.MAX_ROWS", 3)
    assert len(read("card,holder\n1,a\n2,b\n3,c\n").entries) == 3
    found = read("card,holder\n1,a\n2,b\n3,c\n4,d\n")
    assert found.entries == []
    assert "more than 3 lines" in found.rejected[0].reason.en


# ---------------------------------------------------------------- any file

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=12)
TITLES = st.lists(st.sampled_from([title for titles in COLUMNS.values() for title in titles]), max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected(content: bytes) -> None:
    found = read_cards(content, HOUSE)
    assert found.entries or found.rejected or not content.strip()


@settings(max_examples=100, deadline=None)
@given(TITLES, st.lists(st.lists(CELLS, max_size=7), max_size=8), st.sampled_from(["utf-8", "gb18030"]))
def test_any_table_is_read_or_rejected_line_by_line(titles: list[str], lines: list[list[str]], encoding: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["card", "holder", *titles], *lines])
    found = read_cards(text.getvalue().encode(encoding, "replace"), HOUSE)
    assert all(rejected.line >= 1 and rejected.reason.zh and rejected.cure.zh for rejected in found.rejected)
    assert len(found.entries) + len(found.rejected) <= max(1, len(lines))


GOOD: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    number=st.integers(0, 2**32 - 1),
    holder=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10),
    doors=st.sets(st.sampled_from(["east-gate", "west-gate"])),
    pin=st.none() | st.from_regex(r"[0-9]{4,8}", fullmatch=True).filter(str.isascii),
    exempt=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(GOOD | st.sampled_from(["x,y,,,", f"{NUMBER}", "1.2E+3,a,,,"]), max_size=12))
def test_every_good_line_is_taken_and_every_bad_one_named(lines: list[Any]) -> None:
    text, good, bad = "card,holder,doors,pin,exempt\n", {}, []
    for number, line in enumerate(lines, 2):
        if isinstance(line, str) or line["number"] in good:
            bad.append(number)
        else:
            good[line["number"]] = line
        if isinstance(line, str):
            text += f"{line}\n"
        else:
            doors = ";".join(sorted(line["doors"]))
            text += f"{line['number']},{line['holder']},{doors},{line['pin'] or ''},{'是' if line['exempt'] else ''}\n"
    found = read(text)
    assert [rejected.line for rejected in found.rejected] == bad
    assert [(e.card, e.holder, set(e.doors or ()), e.pin, e.exempt) for e in found.entries] == [
        (card_of(str(number), 34), line["holder"], line["doors"], line["pin"], line["exempt"])
        for number, line in good.items()
    ]


# ---------------------------------------------------------------- the command


@pytest.fixture
def compound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("agent.cli.forbid_core_dumps", lambda: None)  # it would hold for every test after this one
    file = tmp_path / "compound.toml"
    file.write_text((ROOT / "config/example.toml").read_text())
    return file


def run(compound: Path, *arguments: str) -> int:
    return main(["card", arguments[0], "--file", str(compound), "--lang", "en", *arguments[1:]])


def count(compound: Path) -> int:
    path = compound.with_name("credentials.json")
    return len(CardList.load(path)) if path.exists() else 0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "cards.csv"
    file.write_text(f"card,holder\n{NUMBER},a\n4711,b\nx,c\n")
    return file


@pytest.mark.parametrize(("flags", "entered"), [((), 2), (("--dry-run",), 0), (("--strict",), 0), (("--replace",), 0)])
def test_import_enters_what_is_asked(
    compound: Path, table: Path, flags: tuple[str, ...], entered: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(compound, "import", str(table), "--bits", "34", *flags) == 1
    assert count(compound) == entered
    shown = capsys.readouterr().out
    assert "line 4 (…): that is no card number" in shown
    assert "2 lines are good (0 of them cards already on the list), 1 rejected" in shown
    assert ("nothing was changed" in shown) == (entered == 0)
    assert NUMBER not in shown


def test_replace_makes_the_file_the_whole_list(compound: Path, table: Path) -> None:
    assert run(compound, "import", str(table), "--bits", "34") == 1
    table.write_text("card,holder\n1,z\n")
    assert run(compound, "import", str(table), "--replace") == 0
    assert [credential.holder for credential in CardList.load(compound.with_name("credentials.json")).credentials] == [
        "z"
    ]


def test_a_card_by_hand(compound: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed = iter([NUMBER, "2580", "2581", NUMBER, NUMBER, "none"])
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
    details = ["--door", "east-gate", "--schedule", "working-hours", "--until", "2026-12-31", "--duress", "--extended"]
    assert run(compound, "add", "3-502", "--bits", "34", *details) == 0
    (kept,) = CardList.load(compound.with_name("credentials.json")).credentials
    assert (kept.doors, kept.schedules, kept.extended) == (("east-gate",), ("working-hours",), True)
    cards = Cards(CardList.load(compound.with_name("credentials.json")), holds=lambda *_: True)
    assert cards.decide(card_of(NUMBER, 34), "east-gate", NOW).granted
    assert run(compound, "list") == 0
    shown = capsys.readouterr().out
    assert f"{kept.reference}  3-502" in shown
    assert "east-gate  working-hours  <2027-01-01 00:00  pin  extended" in shown
    assert "duress" not in shown
    assert run(compound, "remove", "--bits", "34") == 0
    assert count(compound) == 0
    assert run(compound, "remove", "--bits", "34") == 2
    assert run(compound, "add", "x") == 2
    captured = capsys.readouterr()
    assert "no such card" in captured.err
    assert "no card number" in captured.err
    assert NUMBER not in captured.out + captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "x", "--door", "nort"), "no such door: nort"),
        (("add", "x", "--schedule", "nights"), "no such schedule: nights"),
        (("add", "x", "--until", "soon"), "no date"),
        (("import", "/nowhere.csv"), "/nowhere.csv: No such file"),
        (("remove", "--reference", "0123"), "no such card list"),
        (("list",), "no such card list"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_cure(
    compound: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(compound, *arguments) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "→" in shown
