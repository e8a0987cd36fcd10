"""The small local list of cards: who may open which door.

A card's bits and number are kept only as an HMAC-SHA256 under a key that lies in a file beside the list. With 26
bits, whoever takes list *and* key can try all numbers: the key file is worth as much as the list. Loaded, a list
is immutable and answers from a dictionary; a changed file means a new `CardList`.

    cards.json        {"version": 1, "key_check": "…", "credentials": [{"card": "<HMAC>", "holder": "3-2-502", …}]}
    cards.json.key    32 random bytes in hexadecimal, mode 0600
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

from drivers.base import Card, ConfigError, Confined

KEY_BYTES = 32
REFERENCE_DIGITS = 10
_KEY_CHECK = b"gatehouse key check"


class Reason(StrEnum):
    """Why a card does not open a door."""

    UNKNOWN_CARD = "unknown_card"
    WRONG_DOOR = "wrong_door"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reference` stands for the card in events and logs; the number cannot be read from it."""

    reference: str
    reason: Reason | None = None

    @property
    def granted(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Credential:
    """`holder` is the property management's own reference to a household or person; `doors` None means all."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    card: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = field(repr=False)
    holder: Annotated[str, Field(min_length=1, max_length=60)]
    doors: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None

    @property
    def reference(self) -> str:
        return self.card[:REFERENCE_DIGITS]

    def refusal(self, door: str, now_utc: datetime | None) -> Reason | None:
        """Why it does not open `door`; while the time is not trusted, dates are not judged."""
        if self.doors is not None and door not in self.doors:
            return Reason.WRONG_DOOR
        if now_utc is not None and self.valid_from is not None and now_utc < self.valid_from:
            return Reason.NOT_YET_VALID
        if now_utc is not None and self.valid_until is not None and now_utc >= self.valid_until:
            return Reason.EXPIRED
        return None


class CardList:
    """Credentials by card. Raises: ConfigError when two share a card."""

    def __init__(self, key: bytes, credentials: Iterable[Credential]) -> None:
        self._key = key
        self._by_card: dict[str, Credential] = {}
        for credential in credentials:
            if credential.card in self._by_card:
                raise ConfigError(f"the card {credential.reference} is on the list twice", hint="remove one of them")
            self._by_card[credential.card] = credential

    @classmethod
    def empty(cls) -> "CardList":
        """Denies every card; references hold for this run only."""
        return cls(secrets.token_bytes(KEY_BYTES), ())

    @classmethod
    def load(cls, path: Path) -> "CardList":
        """Raises: ConfigError naming the file and the cure."""
        if not path.exists():
            raise ConfigError(f"{path}: no such card list", hint="enter the first card: gatehouse card")
        key = _read_key(path)
        return cls(key, _read_list(path, key))

    def __len__(self) -> int:
        return len(self._by_card)

    def __repr__(self) -> str:
        return f"CardList({len(self)} cards)"

    @property
    def credentials(self) -> tuple[Credential, ...]:
        return tuple(self._by_card.values())

    def decide(self, card: Card, door: str, now_utc: datetime | None) -> Verdict:
        digest = card_digest(self._key, card)
        known = self._by_card.get(digest)
        reason = Reason.UNKNOWN_CARD if known is None else known.refusal(door, now_utc)
        return Verdict(digest[:REFERENCE_DIGITS], reason)


def card_digest(key: bytes, card: Card) -> str:
    """The same number read with another count of bits is another card."""
    return hmac.new(key, f"{card.bits}/{card.number}".encode(), hashlib.sha256).hexdigest()


def key_path(path: Path) -> Path:
    """The file with the key of the list at `path`."""
    return path.with_name(f"{path.name}.key")


def add_card(
    path: Path,
    card: Card,
    holder: str,
    doors: Iterable[str] = (),
    *,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Credential:
    """Put a card on the list, in place of what it was entered as before; list and key are made when missing.

    No doors named means all doors.
    """
    key = _read_key(path) if path.exists() else _make_key(path)
    kept = _read_list(path, key) if path.exists() else ()
    digest = card_digest(key, card)
    try:
        added = _CREDENTIAL.validate_python(
            {
                "card": digest,
                "holder": holder,
                "doors": tuple(doors) or None,
                "valid_from": valid_from,
                "valid_until": valid_until,
            }
        )
    except ValidationError as err:
        raise ConfigError(f"the card cannot be entered: {_problem(err)}", hint="correct that value") from None
    _write_list(path, key, (*(other for other in kept if other.card != digest), added))
    return added


def remove_card(path: Path, which: Card | str) -> Credential:
    """Take a card off the list, named by itself or by its reference (a lost card cannot be read).

    Raises: ConfigError when that is no card of the list, or several.
    """
    key = _read_key(path)
    kept = _read_list(path, key)
    digits = card_digest(key, which) if isinstance(which, Card) else which
    found = [credential for credential in kept if digits and credential.card.startswith(digits)]
    if len(found) != 1:
        what = "no such card" if not found else f"{len(found)} such cards"
        hint = f"the references are the first {REFERENCE_DIGITS} digits of the cards in that file"
        raise ConfigError(f"{path}: {what}: {digits[:REFERENCE_DIGITS]!r}", hint=hint)
    _write_list(path, key, tuple(credential for credential in kept if credential is not found[0]))
    return found[0]


# ---------------------------------------------------------------- files


class _File(Confined):
    version: Literal[1]
    key_check: str
    credentials: tuple[Credential, ...]


_CREDENTIAL = TypeAdapter(Credential)


def _read_list(path: Path, key: bytes) -> tuple[Credential, ...]:
    try:
        content = _File.model_validate_json(path.read_bytes())
    except ValidationError as err:
        hint = "restore it from a copy, or remove it and enter the cards again"
        raise ConfigError(f"{path}: not a card list: {_problem(err)}", hint=hint) from None
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint=_permissions(path)) from err
    if not hmac.compare_digest(content.key_check, _key_check(key)):
        hint = f"put back the key that belongs to it, or remove {path} and enter the cards again"
        raise ConfigError(f"{path}: written with another key than {key_path(path)}", hint=hint)
    return content.credentials


def _write_list(path: Path, key: bytes, credentials: tuple[Credential, ...]) -> None:
    content = _File(version=1, key_check=_key_check(key), credentials=credentials)
    _write(path, (content.model_dump_json(indent=1, exclude_none=True) + "\n").encode())


def _read_key(path: Path) -> bytes:
    file = key_path(path)
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii").strip()
    except FileNotFoundError as err:
        hint = f"put it back from a copy, or remove {path} and enter the cards again"
        raise ConfigError(f"{file}: the key of the card list is missing", hint=hint) from err
    except UnicodeDecodeError:
        text = ""
    except OSError as err:
        raise ConfigError(f"{file}: {err.strerror}", hint=_permissions(file)) from err
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise ConfigError(f"{file}: not a key of {KEY_BYTES} bytes in hexadecimal", hint="put it back from a copy")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{file}: the key may be read by others", hint=f"chmod 600 {file}")
    return bytes.fromhex(text)


def _make_key(path: Path) -> bytes:
    """A key left without a list is used, not replaced: a list may yet come back from a copy."""
    if key_path(path).exists():
        return _read_key(path)
    key = secrets.token_bytes(KEY_BYTES)
    _write(key_path(path), (key.hex() + "\n").encode())
    return key


def _key_check(key: bytes) -> str:
    return hmac.new(key, _KEY_CHECK, hashlib.sha256).hexdigest()[:16]


def _write(path: Path, content: bytes) -> None:
    """The whole new file or the whole old one, whatever happens; mode 0600, owned as its folder where root writes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if os.geteuid() == 0:
                    folder = path.parent.stat()
                    os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(path)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
        _sync_folder(path.parent)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be written: {err.strerror}", hint=_permissions(path.parent)) from err


def _sync_folder(folder: Path) -> None:
    """Only then is the new name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _permissions(path: Path) -> str:
    return f"see that {path} belongs to the user gatehouse, and run this as root or as gatehouse"


def _problem(err: ValidationError) -> str:
    """The first problem: where and what, never the value (it may be a card)."""
    first = err.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
