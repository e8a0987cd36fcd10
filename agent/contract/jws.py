"""Compact JWS (RFC 7515) with Ed25519 (RFC 8037) and nothing else.

The header holds `alg`, `kid` and `typ`, and no other member: no key, certificate or address of one, no `crit`. `typ`
says what was signed, so that a signature of one thing is never taken for another. `alg` is "EdDSA" or, as RFC 9864
names the same algorithm, "Ed25519". Base64url without padding, in its one canonical form.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.contract.commands import Kid, Refusal

SIGNATURE_BYTES = 64
MAX_HEADER_BYTES = 512
_TOKEN = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class Typ(StrEnum):
    COMMAND = "gatehouse-command"
    KEYS = "gatehouse-keys"
    RECEIPT = "gatehouse-receipt"


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    alg: Literal["EdDSA", "Ed25519"]
    kid: Kid
    typ: Annotated[str, Field(max_length=64)]


class FlawError(Exception):
    """Not a signature of ours; `refusal` says what is wrong with it."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Token:
    """A JWS taken apart; nothing in it is proven before `verify`."""

    kid: str
    typ: str
    payload: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: bytes) -> "Token":
        """Raises: FlawError."""
        parts = _TOKEN.fullmatch(text)
        if parts is None:
            raise FlawError(Refusal.MALFORMED, "is no compact JWS")
        head, body, tail = parts.groups()
        header, payload, signature = decode(head), decode(body), decode(tail)
        if len(header) > MAX_HEADER_BYTES or len(signature) != SIGNATURE_BYTES:
            raise FlawError(Refusal.MALFORMED, "has a header or signature of another length")
        try:
            said = _Header.model_validate_json(header)
        except ValidationError as error:
            raise _header_flaw(error) from None
        return cls(said.kid, said.typ, payload, head + b"." + body, signature)

    def verify(self, public: Ed25519PublicKey, typ: Typ) -> bytes:
        """The payload, proven. Raises: FlawError."""
        try:
            public.verify(self.signature, self.signed)
        except InvalidSignature:
            raise FlawError(Refusal.FORGED, "its signature is not that of its key") from None
        if self.typ != typ:
            raise FlawError(Refusal.WRONG_TYPE, f"was signed as {self.typ!r}, not as {typ.value}")
        return self.payload


def sign(private: Ed25519PrivateKey, typ: Typ, payload: bytes) -> bytes:
    header = {"alg": "EdDSA", "kid": kid_of(private.public_key()), "typ": typ.value}
    signed = encode(json.dumps(header, separators=(",", ":")).encode()) + "." + encode(payload)
    return f"{signed}.{encode(private.sign(signed.encode()))}".encode()


def x_of(public: Ed25519PublicKey) -> str:
    """The `x` of its JWK."""
    return encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def kid_of(public: Ed25519PublicKey) -> str:
    """RFC 7638 thumbprint."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{x_of(public)}"}}'
    return encode(hashlib.sha256(jwk.encode()).digest())


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: bytes) -> bytes:
    """Raises: FlawError for what `encode` would not write."""
    try:
        raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise FlawError(Refusal.MALFORMED, "is not base64url") from None
    if encode(raw).encode() != text:
        raise FlawError(Refusal.MALFORMED, "is not base64url in its canonical form")
    return raw


def _header_flaw(error: ValidationError) -> FlawError:
    kinds = {(str(one["loc"][0]) if one["loc"] else "", one["type"]) for one in error.errors(include_url=False)}
    if any(kind == "extra_forbidden" for _, kind in kinds):
        return FlawError(Refusal.BAD_HEADER, "its header holds more than alg, kid and typ")
    if any(where == "alg" for where, _ in kinds):
        return FlawError(Refusal.WRONG_ALG, "is not signed with Ed25519")
    return FlawError(Refusal.MALFORMED, "its header cannot be read")
