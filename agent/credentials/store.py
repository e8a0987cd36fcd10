"""Changing the list on the disk: one change at a time, whole or not at all."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from agent.credentials.cardlist import MAX_CARDS, CardList, render
from agent.credentials.changes import (
    Base,
    CardNumber,
    ChangeRefused,
    Delta,
    Entry,
    Refusal,
    Snapshot,
    digest_after,
    parse_change,
    render_change,
)
from agent.credentials.credential import REFERENCE_DIGITS, Credential, card_digest, encode
from agent.credentials.files import KEY_BYTES, key_path, read_key
from agent.credentials.problem import problem
from agent.files import locked, write_whole
from drivers.base import Card, ConfigError


@dataclass(frozen=True, slots=True)
class Applied:
    """The list as it is now, and what the change did; `replaced` of the cards put were on it before."""

    version: int
    digest: str | None
    count: int
    put: int = 0
    replaced: int = 0
    dropped: int = 0
    issued: datetime | None = None


def apply_change(path: Path, raw: bytes) -> Applied:
    """Apply a change from the centre, whose sender the caller has verified. Applied again it changes nothing.

    Raises: ChangeRefused when it does not fit the list, ConfigError when the files cannot be used.
    """
    change = parse_change(raw)
    with locked(path.parent):
        return _apply(path, change, raw)


def add_entries(path: Path, entries: Iterable[Entry], *, replace_all: bool = False) -> Applied:
    """Put cards on the list, each in place of what it was entered as before; list and key are made when missing.

    `replace_all` makes them the whole list.
    """
    with locked(path.parent):
        base = _base(path)
        version, salt, cards = base.version + 1, secrets.token_hex(16), tuple(entries)
        change: Snapshot | Delta = (
            Snapshot(version=version, salt=salt, cards=cards)
            if replace_all
            else Delta(version=version, salt=salt, base=base, put=cards)
        )
        return _apply(path, change, render_change(change))


def add_card(
    path: Path,
    card: Card,
    holder: str,
    doors: Iterable[str] = (),
    *,
    schedules: Iterable[str] = (),
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    extended: bool = False,
    exempt: bool = False,
    pin: str | None = None,
    duress: str | None = None,
) -> Credential:
    """Put one card on the list. No doors named means all doors, no schedules means always.

    Raises: ConfigError when it cannot be entered; the list is as it was.
    """
    try:
        entry = Entry.model_validate(
            {
                "bits": card.bits,
                "number": str(card.number),
                "holder": holder,
                "doors": tuple(doors) or None,
                "schedules": tuple(schedules) or None,
                "valid_from": valid_from,
                "valid_until": valid_until,
                "extended": extended,
                "exempt": exempt,
                "pin": pin,
                "duress": duress,
            }
        )
    except ValidationError as err:
        raise ConfigError(f"the card cannot be entered: {problem(err)}", hint="correct that value") from None
    add_entries(path, (entry,))
    return entry.credential(read_key(path))


def remove_card(path: Path, which: Card | str) -> Credential:
    """Take a card off the list, named by itself or by its reference (a lost card cannot be read).

    Raises: ConfigError when that is no card of the list, or several.
    """
    with locked(path.parent):
        cards = CardList.load(path)
        digits = card_digest(cards.key, which) if isinstance(which, Card) else which
        found = cards.find(digits) if digits else ()
        if len(found) != 1:
            what = "no such card" if not found else f"{len(found)} such cards"
            hint = "the references are shown by: gatehouse card list"
            shown = digits[:REFERENCE_DIGITS] if isinstance(which, Card) else "that reference"
            raise ConfigError(f"{path}: {what}: {shown}", hint=hint)
        lines = cards.lines()
        del lines[found[0].card]
        base = Base(version=cards.version, digest=cards.digest)
        change = Delta(version=cards.version + 1, salt=secrets.token_hex(16), base=base)
        _write(path, cards.key, lines, change, render_change(change))
    return found[0]


def _base(path: Path) -> Base:
    if not path.exists():
        return Base(version=0)
    cards = CardList.load(path)
    return Base(version=cards.version, digest=cards.digest)


def _apply(path: Path, change: Snapshot | Delta, raw: bytes) -> Applied:
    key = read_key(path) if path.exists() else _make_key(path)
    cards = CardList.load(path) if path.exists() else CardList.of(key, ())
    if cards.version == change.version and cards.digest == digest_after(change, raw):
        return Applied(cards.version, cards.digest, len(cards), issued=change.issued)
    _refuse_what_does_not_fit(cards, change)
    lines, put = (cards.lines(), change.put) if isinstance(change, Delta) else ({}, change.cards)
    dropped = _drop(lines, key, change.drop) if isinstance(change, Delta) else len(cards)
    before = len(lines)
    for entry in put:
        credential = entry.credential(key)
        lines[credential.card] = encode(credential)
    replaced = before + len(put) - len(lines)
    if not isinstance(change, Delta):
        dropped = sum(card not in lines for card in cards.lines())
    if len(lines) > MAX_CARDS:
        raise ChangeRefused(
            Refusal.TOO_MANY, f"the list would hold {len(lines)} cards", hint=f"a list holds at most {MAX_CARDS}"
        )
    return _write(path, key, lines, change, raw, put=len(put), replaced=replaced, dropped=dropped)


def _drop(lines: dict[str, bytes], key: bytes, cards: Iterable[CardNumber]) -> int:
    """How many of the cards were there."""
    return sum(lines.pop(card_digest(key, card.card), None) is not None for card in cards)


def _refuse_what_does_not_fit(cards: CardList, change: Snapshot | Delta) -> None:
    if change.version <= cards.version:
        raise ChangeRefused(
            Refusal.OLD_VERSION,
            f"the change leads to version {change.version}, the list has version {cards.version}",
            hint="send a snapshot with a later version",
        )
    if isinstance(change, Delta) and (change.base.version, change.base.digest) != (cards.version, cards.digest):
        raise ChangeRefused(
            Refusal.OTHER_BASE,
            f"the change stands on version {change.base.version} of another list; this one is version {cards.version}",
            hint="send a snapshot",
        )
    named = change.put if isinstance(change, Delta) else change.cards
    if len({(entry.bits, int(entry.number)) for entry in named}) != len(named):
        raise ChangeRefused(Refusal.TWICE, "the change names a card more than once", hint="name each card once")


def _write(
    path: Path,
    key: bytes,
    lines: dict[str, bytes],
    change: Snapshot | Delta,
    raw: bytes,
    *,
    put: int = 0,
    replaced: int = 0,
    dropped: int = 0,
) -> Applied:
    digest = digest_after(change, raw)
    _, text = render(key, lines, change.version, digest)
    write_whole(path, text)
    return Applied(change.version, digest, len(lines), put, replaced, dropped, change.issued)


def _make_key(path: Path) -> bytes:
    """A key left without a list is used, not replaced: a list may yet come back from a copy."""
    if key_path(path).exists():
        return read_key(path)
    key = secrets.token_bytes(KEY_BYTES)
    write_whole(key_path(path), (key.hex() + "\n").encode())
    return key
