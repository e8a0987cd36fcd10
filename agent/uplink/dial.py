"""Where the broker is, how it is trusted, and why a connection failed, in words with a cure."""

import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from agent.settings import Centre
from drivers.base import GatehouseError


class Cause(StrEnum):
    """What the reconnecting policy does next depends on it."""

    VERSION = "version"  # the broker does not speak this version of MQTT
    CLOSED = "closed"  # closed by the broker right after CONNECT
    DENIED = "denied"  # credentials or rights: a human must look
    CONFIGURED = "configured"  # certificate, key or address is wrong: a human must look
    UNREACHABLE = "unreachable"  # refused, no name, no route
    TIMEOUT = "timeout"  # no answer in time
    LOST = "lost"  # was up, and was closed
    SILENT = "silent"  # was up, and nothing was acknowledged any more


SLOW = frozenset({Cause.DENIED, Cause.CONFIGURED})
"""Trying often does not help, and an authentication server suffers from it."""


KNOCK_S: Final = 5.0
"""For each address of the name, and for each step of the handshake."""


class LinkDownError(GatehouseError):
    """No link, or no link any more."""

    def __init__(self, cause: Cause, reason: str, *, hint: str = "") -> None:
        super().__init__(reason, hint=hint)
        self.cause = cause
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """The broker's address and what is needed to log in there."""

    host: str
    port: int
    tls: bool
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None
    username: str | None
    password_file: Path | None

    @classmethod
    def all(cls, centre: Centre) -> tuple[Self, ...]:
        """In order of preference."""
        return tuple(cls.of(centre, address) for address in (centre.broker, *centre.fallback))

    @classmethod
    def of(cls, centre: Centre, address: str | None = None) -> Self:
        """The preferred broker, or the one at `address`."""
        parts = urlsplit(address or centre.broker)
        tls = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname or "",
            port=parts.port or (8883 if tls else 1883),
            tls=tls,
            ca_file=centre.ca_file,
            cert_file=centre.cert_file,
            key_file=centre.key_file,
            username=centre.username,
            password_file=centre.password_file,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def hint(self) -> str:
        """The cure when something answers there, but not as a broker does."""
        if self.tls:
            return "the broker may want a client certificate that it knows: centre.cert_file and key_file"
        return "is this the port of an MQTT broker, and is TLS (mqtts://) wanted there?"

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, server always verified; reads files, so the connecting thread calls it.

        Raises: OSError; its `filename` is the file that cannot be used, and `filename2` the one it does not go with.
        """
        for path in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            path.open("rb").close()  # OpenSSL does not say which one is not there
        context = _trusting(self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _ClosesItself
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file)
            except OSError as error:  # a key whose passphrase nobody types is no SSLError
                _trusting(self.cert_file)  # is it the certificate by itself?
                error.filename, error.filename2 = str(self.cert_file), str(self.key_file or self.cert_file)
                raise
        return context

    def knock(self, context: ssl.SSLContext | None) -> None:
        """Connect up to the end of the TLS handshake, and hang up. Blocking. Raises: LinkDownError."""
        try:
            with socket.create_connection((self.host, self.port), KNOCK_S) as plain:
                if self.tls and context is not None:
                    context.wrap_socket(plain, server_hostname=self.host).close()
        except (OSError, ValueError) as error:
            raise explain(error, self) from error

    def password(self) -> str | None:
        return self.password_file.read_text().rstrip("\r\n") if self.password_file else None


class _ClosesItself(ssl.SSLSocket):
    """paho forgets a socket whose handshake fails, and its descriptor with it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


def _trusting(certificates: Path | None) -> ssl.SSLContext:
    """Raises: SSLError with the file's name when it holds none."""
    try:
        return ssl.create_default_context(cafile=certificates)
    except ssl.SSLError as error:
        error.filename = str(certificates)
        raise


def explain(error: OSError | ValueError, target: Target) -> LinkDownError:
    """Why dialling failed. The order matters: SSL errors are OSErrors."""
    match error:
        case OSError(filename=str()):
            return _unusable(error)
        case ssl.SSLCertVerificationError():
            return LinkDownError(
                Cause.CONFIGURED,
                f"{target}: the broker's certificate is not accepted: {error.verify_message}",
                hint="centre.ca_file must hold the CA that signed it, and centre.broker the name in it; "
                "check the gateway's clock if it says expired or not yet valid",
            )
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return LinkDownError(
                Cause.CLOSED,
                f"{target} hung up during the TLS handshake",
                hint="does this port speak TLS? usually 8883",
            )
        case ssl.SSLError() if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}:
            return LinkDownError(
                Cause.CONFIGURED, f"{target} does not speak TLS", hint="wrong port? TLS brokers usually listen on 8883"
            )
        case ssl.SSLError():
            return LinkDownError(
                Cause.CONFIGURED,
                f"{target}: TLS failed: {error.reason or error}",
                hint="the broker may want a client certificate: centre.cert_file and key_file",
            )
        case socket.gaierror():
            return LinkDownError(
                Cause.UNREACHABLE,
                f"the name {target.host} is not found",
                hint="check centre.broker and the gateway's DNS server (resolvectl status)",
            )
        case ConnectionRefusedError():
            return LinkDownError(
                Cause.UNREACHABLE,
                f"{target} refuses the connection",
                hint="is the broker running, and is the port right?",
            )
        case TimeoutError():
            return LinkDownError(
                Cause.TIMEOUT, f"{target} does not answer", hint="check cable, modem, firewall and centre.broker"
            )
        case ConnectionError():
            return LinkDownError(Cause.UNREACHABLE, f"{target} hung up: {error}", hint=target.hint)
        case OSError():
            return LinkDownError(
                Cause.UNREACHABLE, f"{target} cannot be reached: {error.strerror or error}", hint="check the network"
            )
        case _:
            return LinkDownError(Cause.CONFIGURED, f"{target}: {error}", hint="check centre.broker")


def _unusable(error: OSError) -> LinkDownError:
    """A file that is needed to dial."""
    why = getattr(error, "reason", None) or error.strerror
    if error.filename2 is not None:
        reason = f"the certificate {error.filename} and the key {error.filename2} cannot be used together: {why}"
        hint = "the key must belong to the certificate and be PEM, without a passphrase"
    elif isinstance(error, ssl.SSLError):
        reason, hint = f"{error.filename} cannot be used: {why}", "it must hold certificates as PEM"
    else:
        reason = f"{error.filename}: {why}"
        hint = "put it there, readable for the user who runs this, or name another file"
    return LinkDownError(Cause.CONFIGURED, reason, hint=hint)


def refused(code: int, name: str, target: Target) -> LinkDownError:
    """What a CONNACK with a reason code other than success means."""
    if code in {1, 0x84}:
        return LinkDownError(Cause.VERSION, f"{target} does not speak this version of MQTT")
    if code in {0x86, 0x87, 0x8C}:
        return LinkDownError(
            Cause.DENIED,
            f"{target} does not let this gateway in: {name}",
            hint="check centre.username and password_file, or the gateway's certificate, and the broker's user list",
        )
    if code == 0x85:
        return LinkDownError(
            Cause.DENIED,
            f"{target} refuses the client id: {name}",
            hint="the broker must accept gateway.id as client id",
        )
    if code in {0x9A, 0x9B}:
        hint = "the centre's broker must be set up for it, see config/brokers/README.md"
        return LinkDownError(Cause.CONFIGURED, f"{target} takes no retained will of QoS 1: {name}", hint=hint)
    return LinkDownError(Cause.UNREACHABLE, f"{target} refuses for now: {name}", hint="the broker may be overloaded")
