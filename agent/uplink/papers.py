"""The files that TLS needs, read and checked whole before they are used. Blocking: for a thread of its own."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from agent.uplink.dial import Target, explain
from drivers.base import GatehouseError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Time of change, size and inode of each file; None for one that is not there."""

_HINT = "put the centre's files there whole: certificate, key and CA that belong together"


class PapersError(GatehouseError):
    """They do not fit together, are out of date, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Papers:
    """`ends` is when the gateway's own certificate does; None without one."""

    stamp: Stamp
    context: ssl.SSLContext
    ends: datetime | None


def stamp_of(target: Target) -> Stamp:
    return tuple(_stamp(path) for path in (target.ca_file, target.cert_file, target.key_file) if path is not None)


def read(target: Target, now: datetime | None) -> Papers:
    """Dates are judged only where `now` is known. Raises: PapersError."""
    before, ends = stamp_of(target), None
    try:
        context = target.context()  # OpenSSL refuses a key that does not belong to the certificate
        if target.cert_file is not None:
            own = _load(target.cert_file)
            _check_dates(own, now)
            _check_chain(own, _load(target.ca_file) if target.ca_file else ())
            _check_usage(own[0])
            ends = own[0].not_valid_after_utc
    except (OSError, ValueError) as error:
        failed = explain(error, target)
        raise PapersError(failed.reason, hint=failed.hint) from error
    if stamp_of(target) != before:
        raise PapersError("certificate or key is being written", hint=_HINT)
    return Papers(before, context, ends)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _load(path: Path) -> "Sequence[Certificate]":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise PapersError(f"{path} cannot be used: {error}", hint=_HINT) from error


def _check_dates(own: "Sequence[Certificate]", now: datetime | None) -> None:
    if now is None:
        return
    for certificate in own:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if ends <= now:
            raise PapersError(f"the gateway's certificate ended on {ends:%Y-%m-%d}", hint=_HINT)
        if begins > now:
            hint = "check the gateway's clock, or wait until then"
            raise PapersError(f"the gateway's certificate begins on {begins:%Y-%m-%d %H:%M} UTC", hint=hint)


def _check_chain(own: "Sequence[Certificate]", authorities: "Sequence[Certificate]") -> None:
    """Each is signed by the next, and the last by the authority in the CA file that it names, if that is there."""
    named = [authority for authority in authorities if authority.subject == own[-1].issuer]
    signed = all(_signed(certificate, issuer) for certificate, issuer in pairwise(own))
    if not signed or (named and not any(_signed(own[-1], authority) for authority in named)):
        raise PapersError("the gateway's certificate is not signed by the one that it names", hint=_HINT)


def _signed(certificate: "Certificate", issuer: "Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_usage(certificate: "Certificate") -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise PapersError("the gateway's certificate is not one for clients (extended key usage)", hint=_HINT)
