"""No core dumps; and no card number or PIN in anything that `gatehouse card` says or writes, whatever goes wrong."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.credentials import CardList, Cards, ChangeRefused, apply_change, parse_change
from drivers.base import Card, ConfigError

ROOT = Path(__file__).parents[2]
NUMBER, OTHER, PIN, DURESS = "3948213377", "2948213376", "73918264", "73918265"
SECRETS = (NUMBER, OTHER, PIN, DURESS)
FORMS = [
    *(text.encode() for text in SECRETS),
    *(f"{int(number):x}".encode() for number in (NUMBER, OTHER)),
    *(int(number).to_bytes(4, order) for number in (NUMBER, OTHER) for order in ("big", "little")),
    *(text.encode("utf-16-le") for text in SECRETS),
]
"""How a secret could stand in a file."""


def holding_secrets(folder: Path) -> list[Path]:
    """Every file in which a secret stands."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and any(form in file.read_bytes().lower() for form in FORMS)
    ]


def test_no_core_of_the_process_is_ever_written() -> None:
    code = (
        "import resource; from agent.secrecy import core_dumps_forbidden, forbid_core_dumps\n"
        "before = core_dumps_forbidden(); forbid_core_dumps()\n"
        "print(before, core_dumps_forbidden(), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False True (0, 0)\n"


COMMANDS = [
    ("", ["list"]),
    (f"{NUMBER}\n{PIN}\n{DURESS}\n", ["add", "3-502", "--bits", "34", "--duress"]),
    (f"{NUMBER}\n{PIN}\n{PIN}\n", ["add", "3-502", "--bits", "34", "--duress"]),
    (f"{NUMBER}\n{PIN}9\n", ["add", "3-502", "--bits", "34", "--pin"]),
    (f"{NUMBER}\n", ["add", "3-502"]),
    (f"x{NUMBER}\n", ["add", "3-502", "--bits", "34"]),
    (f"{NUMBER}\n", ["remove", "--bits", "34", "--reference", "0" * 10]),
    ("", ["import", "in.csv", "--bits", "34"]),
    ("", ["import", "in.csv", "--bits", "34", "--strict"]),
    ("", ["import", "titleless.csv"]),
    ("", ["list"]),
    (f"{NUMBER}\n", ["remove", "--bits", "34"]),
    (f"{NUMBER}\n", ["remove", "--bits", "34"]),
]
TABLE = f"""card,holder,doors,valid_until,pin,duress
{NUMBER},a,,,{PIN},{DURESS}
{NUMBER},a,,,{PIN},{PIN}
{OTHER},b,{NUMBER},,,
{OTHER},b,,{NUMBER},,
{OTHER},b,,,{PIN}{PIN},
{OTHER}{OTHER},b,,,,
{OTHER},{"b" * 99},,,,
"{OTHER}"{OTHER},b,,,,
{OTHER},b
{OTHER},b,,,,{DURESS}
{NUMBER},again,,,,
"""


def test_the_command_says_and_writes_no_number_and_no_pin(tmp_path: Path) -> None:
    (tmp_path / "compound.toml").write_text((ROOT / "config/example.toml").read_text())
    (tmp_path / "in.csv").write_text(TABLE)
    (tmp_path / "titleless.csv").write_text(TABLE.partition("\n")[2])
    said = []
    for typed, command in COMMANDS:
        program = [sys.executable, "-X", "dev", "-m", "agent.cli", "card", command[0], "--file", "compound.toml"]
        done = subprocess.run(
            [*program, *command[1:]],
            input=typed.encode(), capture_output=True, check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode in (0, 1, 2)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        said.append(done.stdout + done.stderr)
    text = b"".join(said)
    assert b"10 rejected" in text, "the table was read, and complained of"
    assert not [form for form in FORMS if form in text.lower()]
    for table in ("in.csv", "titleless.csv"):
        (tmp_path / table).unlink()
    assert holding_secrets(tmp_path) == []


def test_errors_logs_and_reprs_of_the_list_hold_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "cards.json"
    card = {"bits": 34, "number": NUMBER, "holder": "h", "pin": PIN, "duress": DURESS}
    change = {"change": "snapshot", "version": 1, "salt": "ab" * 16, "cards": [card]}
    raw = json.dumps(change).encode()
    applied = apply_change(path, raw)
    cards = Cards.open(path, holds=lambda *_: True, floor=None)
    verdict = cards.decide(Card(34, int(NUMBER)), "north", None)
    result = cards.check_pin(verdict.reference, PIN)
    kept = list(CardList.load(path).credentials)
    shown = [repr(thing) for thing in (applied, cards, verdict, result, kept, parse_change(raw), CardList.load(path))]
    for bad in ({**change, "cards": [card, card], "version": 2}, {**change, "cards": [{**card, PIN: NUMBER}]}):
        with pytest.raises(ChangeRefused) as caught:
            apply_change(path, json.dumps(bad).encode())
        shown += [repr(caught.value), str(caught.getrepr(style="long", showlocals=False)), caught.value.hint]
    path.write_bytes(path.read_bytes() + NUMBER.encode())
    with pytest.raises(ConfigError) as refused:
        CardList.load(path)
    shown += [repr(refused.value), refused.value.hint, caplog.text]
    path.unlink()
    assert not [secret for secret in SECRETS for text in shown if secret in text]
    assert holding_secrets(tmp_path) == []
