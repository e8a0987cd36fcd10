"""The card list in memory: immutable, compact, answering without any file.

It is the file itself, read once: lines sorted by the card's digest, searched by bisection; a line is parsed when
its card is asked for. So 50,000 cards take 13 MB, several times less than as objects, are loaded in some tens of
milliseconds, and a decision never waits for a disk, which a database file could not promise.

    cards.json        {"format": "gatehouse-cards-2", "key_check": "…", "version": 7, "digest": "…", "count": 2, …}
                      <HMAC-SHA256 of the card> {"holder": "3-2-502", "doors": ["north-gate"], …}
                      …
    cards.json.key    32 random bytes in hexadecimal, mode 0600

With 26 bits, whoever takes list *and* key can try all numbers, and with four digits all PINs: the key file is
worth as much as the list.
"""

import hashlib
import hmac
import secrets
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from agent.credentials.credential import (
    REFERENCE_DIGITS,
    Credential,
    Digest,
    Holds,
    Times,
    card_digest,
    decode,
    encode,
)
from agent.credentials.files import KEY_BYTES, read_key
from agent.credentials.problem import problem
from agent.credentials.verdict import PinResult, Reason, Verdict
from agent.files import permissions
from drivers.base import Card, ConfigError, Confined

MAX_CARDS = 200_000
_KEY_CHECK = b"gatehouse key check"
_DIGEST_LENGTH = 64


class Header(Confined):
    """First line of the file. `version` and `digest` say which list it is; `seal` that nothing was changed by hand."""

    format: Literal["gatehouse-cards-2"] = "gatehouse-cards-2"
    key_check: str
    version: int = Field(default=0, ge=0)
    digest: Digest | None = None
    """SHA-256 over the changes that made the list; None before the first."""
    count: int
    seal: str


class CardList:
    """Credentials by card."""

    def __init__(self, key: bytes, header: Header, text: bytes) -> None:
        """`text` is the whole file, of which `header` is the first line."""
        self._key = key
        self._header = header
        self._text = text
        self._starts = array("I", _line_starts(text))

    @classmethod
    def of(cls, key: bytes, credentials: Iterable[Credential]) -> Self:
        """A list made in memory. Raises: ConfigError when two share a card."""
        lines: dict[str, bytes] = {}
        for credential in credentials:
            if credential.card in lines:
                raise ConfigError(f"the card {credential.reference} is on the list twice", hint="remove one of them")
            lines[credential.card] = encode(credential)
        header, text = render(key, lines)
        return cls(key, header, text)

    @classmethod
    def empty(cls) -> Self:
        """Denies every card; references hold for this run only."""
        return cls.of(secrets.token_bytes(KEY_BYTES), ())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises: ConfigError naming the file and the cure."""
        try:
            text = path.read_bytes()
        except FileNotFoundError as err:
            raise ConfigError(f"{path}: no such card list", hint="enter the first card: gatehouse card add") from err
        except OSError as err:
            raise ConfigError(f"{path}: {err.strerror}", hint=permissions(path)) from err
        key = read_key(path)
        header = _header(path, text, key)
        return cls(key, header, text)

    def __len__(self) -> int:
        return len(self._starts)

    def __repr__(self) -> str:
        return f"CardList({len(self)} cards)"

    @property
    def version(self) -> int:
        return self._header.version

    @property
    def digest(self) -> str | None:
        return self._header.digest

    @property
    def key(self) -> bytes:
        return self._key

    @property
    def credentials(self) -> Iterator[Credential]:
        """One after another, in the order of their references."""
        return (decode(self._line(n)) for n in range(len(self)))

    def lines(self) -> dict[str, bytes]:
        """Every line by its card's digest, to make the next list of."""
        return {self._digest(n): self._line(n) for n in range(len(self))}

    def find(self, digits: str) -> tuple[Credential, ...]:
        """The credentials whose card's digest begins with `digits`."""
        at = bisect_left(range(len(self)), digits, key=self._digest)
        found = []
        while at < len(self) and self._digest(at).startswith(digits):
            found.append(decode(self._line(at)))
            at += 1
        return tuple(found)

    def decide(self, card: Card, door: str, times: Times, holds: Holds) -> Verdict:
        digest = card_digest(self._key, card)
        at = bisect_left(range(len(self)), digest, key=self._digest)
        if at == len(self) or self._digest(at) != digest:
            return Verdict(digest[:REFERENCE_DIGITS], Reason.UNKNOWN_CARD)
        known = decode(self._line(at))
        reason = known.refusal(door, times, holds)
        return Verdict(known.reference, reason, known.extended, known.exempt, known.demand)

    def check_pin(self, reference: str, digits: str) -> PinResult:
        """Wrong, too, for a card that has no PIN or has left the list meanwhile."""
        results = [known.check_pin(self._key, digits) for known in self.find(reference)]
        return next((result for result in results if result is not PinResult.WRONG), PinResult.WRONG)

    def _digest(self, index: int) -> str:
        start = self._starts[index]
        return self._text[start : start + _DIGEST_LENGTH].decode("ascii")

    def _line(self, index: int) -> bytes:
        start = self._starts[index]
        return self._text[start : self._text.index(b"\n", start)]


def render(key: bytes, lines: dict[str, bytes], version: int = 0, digest: str | None = None) -> tuple[Header, bytes]:
    """The file of these lines, and its header."""
    body = b"".join(lines[card] + b"\n" for card in sorted(lines))
    header = Header(key_check=_key_check(key), version=version, digest=digest, count=len(lines), seal="")
    header = header.model_copy(update={"seal": _seal(key, header, memoryview(body))})
    return header, header.model_dump_json().encode() + b"\n" + body


def _header(path: Path, text: bytes, key: bytes) -> Header:
    end = text.find(b"\n") + 1
    try:
        header = Header.model_validate_json(text[:end] if end else text[:1000])
    except ValidationError as err:
        hint = "restore it from a copy, or remove it and enter the cards again"
        raise ConfigError(f"{path}: not a card list: {problem(err)}", hint=hint) from None
    if not hmac.compare_digest(header.key_check, _key_check(key)):
        hint = f"put back the key that belongs to it, or remove {path} and enter the cards again"
        raise ConfigError(f"{path}: written with another key than {path.name}.key", hint=hint)
    if not hmac.compare_digest(header.seal, _seal(key, header, memoryview(text)[end:])):
        hint = "restore it from a copy, or remove it and enter the cards again; change it by gatehouse card only"
        raise ConfigError(f"{path}: the card list is damaged", hint=hint)
    return header


def _line_starts(text: bytes) -> Iterator[int]:
    start = text.find(b"\n") + 1
    while (end := text.find(b"\n", start)) >= 0:
        yield start
        start = end + 1


def _seal(key: bytes, header: Header, body: memoryview) -> str:
    seal = hmac.new(key, f"{header.version}/{header.digest}/{header.count}\n".encode(), hashlib.sha256)
    seal.update(body)
    return seal.hexdigest()


def _key_check(key: bytes) -> str:
    return hmac.new(key, _KEY_CHECK, hashlib.sha256).hexdigest()[:16]
