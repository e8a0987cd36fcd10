"""The other side: keys in files, and what is signed with them. For the command line, the centre and its simulator."""

import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from agent.contract.commands import Command, Key, KeySet, Role, Verb
from agent.contract.jws import Typ, sign, x_of
from agent.events import JsonValue
from drivers.base import ConfigError


def order(
    private: Ed25519PrivateKey,
    gateway: str,
    verb: Verb,
    args: Mapping[str, JsonValue],
    *,
    challenge: str | None = None,
    order_id: str = "",
    exp: int | None = None,
) -> tuple[str, bytes]:
    """The id and the JWS of an order; the id is a fresh one unless it is given."""
    command = Command(id=order_id or str(uuid.uuid4()), aud=gateway, verb=verb, challenge=challenge, exp=exp, args=args)
    return command.id, sign(private, Typ.COMMAND, command.payload())


def key_set(root: Ed25519PrivateKey, version: int, keys: Iterable[Key]) -> bytes:
    return sign(root, Typ.KEYS, KeySet(version=version, keys=tuple(keys)).payload())


def key(private: Ed25519PrivateKey, name: str, *roles: Role) -> Key:
    return Key(x=x_of(private.public_key()), name=name, roles=roles)


def new_key(path: Path, passphrase: bytes = b"") -> Ed25519PrivateKey:
    """A private key at `path`, mode 0600, its public half beside it as `.pub`. Raises: ConfigError."""
    private = Ed25519PrivateKey.generate()
    how: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        public_path(path).write_bytes(public)
    except FileExistsError as err:
        raise ConfigError(f"{path} is there already", hint="a key is never written over: give another name") from err
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint="name a folder that may be written") from err
    return private


def public_path(path: Path) -> Path:
    return path.with_suffix(".pub")


def read_private(path: Path, passphrase: bytes = b"") -> Ed25519PrivateKey:
    """Raises: ConfigError."""
    try:
        found = load_pem_private_key(path.read_bytes(), passphrase or None)
    except OSError as err:
        raise ConfigError(f"{path}: {err.strerror}", hint="name a key file made by gatehouse keys new") from err
    except TypeError as err:
        raise ConfigError(f"{path}: {str(err).lower()}", hint="give its passphrase, or none if it has none") from err
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        hint = "name a key file made by gatehouse keys new, and its right passphrase"
        raise ConfigError(f"{path}: is no Ed25519 key that can be opened", hint=hint)
    return found
