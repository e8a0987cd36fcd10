"""Changes of the card list are personal data: encrypted to the gateway by ECDH-ES (X25519) and A256GCM, compact JWE.

The key is made on the gateway at its first start and never leaves it; `status` carries the public half. joserfc is
imported with the first such order: a quarter of a second, once.
"""

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.contract.commands import CredentialsArgs
from agent.contract.jws import FlawError, decode, encode
from agent.contract.messages import EncryptionKey
from agent.files import locked, write_whole
from drivers.base import ConfigError, GatehouseError

if TYPE_CHECKING:
    from joserfc.jwe import JWERegistry

_log = logging.getLogger(__name__)
ALGORITHMS: Final = ("ECDH-ES", "A256GCM")
JWE_PARTS: Final = 5
MAX_HEADER: Final = 1024
PART_BYTES: Final = 80_000
"""Of the JWE's text in one order: with the order around it, and base64 again, it stays below 128 KiB."""
MAX_BYTES: Final = 8 << 20
"""Of a whole JWE: 50,000 cards."""


class SealError(GatehouseError):
    """It is not for this gateway, or not whole."""


class Seal:
    """The gateway's own key; None where it can neither be read nor made."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def open(cls, path: Path) -> "Seal | None":
        """The key at `path`, made where there is none."""
        try:
            if not path.exists():
                made = X25519PrivateKey.generate()
                with locked(path.parent):
                    write_whole(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            found = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ConfigError, ValueError, TypeError, UnsupportedAlgorithm) as err:
            _log.error("%s: %s: no change of the card list can be taken from the centre", path, err)
            return None
        return cls(found) if isinstance(found, X25519PrivateKey) else None

    @property
    def public(self) -> EncryptionKey:
        return EncryptionKey(x=encode(self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)))

    def unseal(self, text: str) -> bytes:
        """Raises: SealError."""
        _check_header(text)
        from joserfc import jwe
        from joserfc.errors import JoseError
        from joserfc.jwk import OKPKey

        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            found = jwe.decrypt_compact(text, OKPKey.import_key(pem), registry=_registry())
        except (JoseError, ValueError) as err:
            reason = f"it is not encrypted to this gateway by {' and '.join(ALGORITHMS)}"
            raise SealError(reason, hint="take the key from the gateway's status") from err
        assert found.plaintext is not None
        return found.plaintext


def seal(public: EncryptionKey, plain: bytes) -> str:
    """The compact JWE that only the holder of `public`'s other half can read."""
    from joserfc import jwe
    from joserfc.jwk import OKPKey

    header = dict(zip(("alg", "enc"), ALGORITHMS, strict=True))
    key = OKPKey.import_key({"kty": public.kty, "crv": public.crv, "x": public.x})
    return jwe.encrypt_compact(header, plain, key, registry=_registry())


def in_parts(text: str) -> list[CredentialsArgs]:
    """The arguments of as many orders as it takes."""
    pieces = [text[start : start + PART_BYTES] for start in range(0, len(text), PART_BYTES)]
    if len(pieces) == 1:
        return [CredentialsArgs(jwe=text)]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return [CredentialsArgs(jwe=p, part=n, parts=len(pieces), digest=digest) for n, p in enumerate(pieces, start=1)]


class Parts:
    """Puts together what came in several orders; in memory, and one text at a time."""

    def __init__(self) -> None:
        self._digest = ""
        self._pieces: dict[int, str] = {}

    @property
    def here(self) -> int:
        return len(self._pieces)

    def add(self, args: CredentialsArgs) -> str | None:
        """The whole text; None while parts are missing. Raises: SealError."""
        if args.parts == 1:
            return args.jwe
        if args.digest is None or args.part > args.parts:
            raise SealError("a part names the digest of the whole, and no more parts than there are", hint="")
        if args.digest != self._digest:
            self._digest, self._pieces = args.digest, {}
        self._pieces[args.part] = args.jwe
        if sum(map(len, self._pieces.values())) > MAX_BYTES:
            self._pieces = {}
            raise SealError(f"it is longer than {MAX_BYTES} bytes", hint="send fewer cards, then deltas")
        if len(self._pieces) < args.parts:
            return None
        text = "".join(self._pieces[n] for n in sorted(self._pieces))
        self._digest, self._pieces = "", {}
        if hashlib.sha256(text.encode()).hexdigest() != args.digest:
            raise SealError("the parts are not those of one text", hint="send all of them again")
        return text


class _Epk(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class _Header(BaseModel):
    """No other algorithm, no compression, nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    alg: Literal["ECDH-ES"]
    enc: Literal["A256GCM"]
    epk: _Epk


def _check_header(text: str) -> None:
    """Before the library sees it. Raises: SealError."""
    parts = text.split(".")
    try:
        if len(parts) != JWE_PARTS or len(parts[0]) > MAX_HEADER:
            raise SealError("it is no compact JWE", hint="see agent/commands/README.md")
        _Header.model_validate_json(decode(parts[0].encode()))
    except (FlawError, ValidationError) as err:
        reason = "its header is not that of ECDH-ES with X25519 and A256GCM"
        raise SealError(reason, hint="see agent/commands/README.md") from err


def _registry() -> "JWERegistry":
    from joserfc.jwe import JWERegistry

    class Large(JWERegistry):
        max_ciphertext_length = MAX_BYTES

    return Large(algorithms=ALGORITHMS)
