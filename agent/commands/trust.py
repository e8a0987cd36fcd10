"""Whose signature counts: two offline roots pinned in the compound's file, and the key set that one of them signed.

A key set replaces the one before whole, and its version only rises: a key that is not in it has lost its rights. It
is kept as it came, under its signature, and proven anew at every start.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import ValidationError

from agent.contract.commands import KeySet, Refusal, Role
from agent.contract.jws import FlawError, Token, Typ, decode, kid_of
from agent.files import locked, write_whole
from drivers.base import ConfigError

_log = logging.getLogger(__name__)
MAX_KEYS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of the set in force."""

    kid: str
    name: str
    roles: frozenset[Role]
    public: Ed25519PublicKey


class Trust:
    """`keep` alone touches the disk; the rest is memory."""

    def __init__(self, roots: Mapping[str, Ed25519PublicKey], path: Path) -> None:
        self._roots = roots
        self._path = path
        self._signers: Mapping[str, Signer] = {}
        self._token = b""
        self.version = 0
        """Of the key set in force; 0 is none."""

    @classmethod
    def open(cls, roots: Sequence[Path], path: Path) -> "Trust":
        """With the key set kept at `path`, if a root of ours has signed it. Raises: ConfigError for a bad root."""
        pinned = [read_public(root) for root in roots]
        trust = cls({kid_of(public): public for public in pinned}, path)
        try:
            token = path.read_bytes()
        except FileNotFoundError:
            return trust
        except OSError as err:
            _log.error("%s: %s: no key of the centre is known until it sends its key set again", path, err.strerror)
            return trust
        try:
            trust.use(token, trust.check(token))
        except FlawError as flaw:
            _log.error("%s: %s: no key of the centre is known until it sends its key set again", path, flaw)
        return trust

    @property
    def rooted(self) -> bool:
        """Orders and signed receipts are possible at all."""
        return bool(self._roots)

    @property
    def token(self) -> bytes:
        """The key set in force as it came; empty when there is none."""
        return self._token

    def signer(self, kid: str) -> Signer:
        """Raises: FlawError."""
        found = self._signers.get(kid)
        if found is None:
            raise FlawError(Refusal.UNKNOWN_KEY, "is signed by a key that is not in the key set")
        return found

    def check(self, token: bytes) -> KeySet:
        """A key set that a root of ours has signed. Raises: FlawError."""
        if len(token) > MAX_KEYS_BYTES:
            raise FlawError(Refusal.TOO_LARGE, f"is a key set of {len(token)} bytes")
        parsed = Token.parse(token)
        root = self._roots.get(parsed.kid)
        if root is None:
            raise FlawError(Refusal.UNKNOWN_KEY, "is not signed by a root of this gateway")
        try:
            keys = KeySet.model_validate_json(parsed.verify(root, Typ.KEYS))
        except ValidationError:
            raise FlawError(Refusal.MALFORMED, "is no key set") from None
        _signers(keys)
        return keys

    def keep(self, token: bytes) -> None:
        """On disk on return. Raises: ConfigError."""
        with locked(self._path.parent):
            write_whole(self._path, token)

    def use(self, token: bytes, keys: KeySet) -> None:
        """From now on: `keys` is what `check` made of `token`."""
        self._signers = _signers(keys)
        self._token, self.version = token, keys.version

    def receipt(self, token: bytes) -> bytes:
        """What a signed receipt says. Raises: FlawError."""
        if not self.version:
            raise FlawError(Refusal.NO_KEYS, "cannot be proven before the centre has sent its key set")
        parsed = Token.parse(token)
        signer = self.signer(parsed.kid)
        payload = parsed.verify(signer.public, Typ.RECEIPT)
        if Role.RECEIPT not in signer.roles:
            raise FlawError(Refusal.NOT_ALLOWED, f"is signed by {signer.name}, which may not issue receipts")
        return payload


def read_public(path: Path) -> Ed25519PublicKey:
    """A PEM file as `gatehouse keys new` and openssl write it. Raises: ConfigError."""
    try:
        found = load_pem_public_key(path.read_bytes())
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint="put the public half of the root key there") from err
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        hint = 'name the public half of a root key, made by "gatehouse keys new"'
        raise ConfigError(f"{path}: is no Ed25519 public key", hint=hint)
    return found


def _signers(keys: KeySet) -> Mapping[str, Signer]:
    """By their key id. Raises: FlawError for a key that is none, or stands there twice."""
    found: dict[str, Signer] = {}
    for key in keys.keys:
        public = _public(key.x)
        kid = kid_of(public)
        if kid in found:
            raise FlawError(Refusal.MALFORMED, f"names the key of {key.name} twice")
        found[kid] = Signer(kid, key.name, frozenset(key.roles), public)
    return found


def _public(x: str) -> Ed25519PublicKey:
    raw = decode(x.encode())
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise FlawError(Refusal.MALFORMED, "holds a key that is none") from None
