"""What a network camera answers before its stream is opened: does it take the password, is the stream there, in which
codec. FFmpeg knows all that and tells OpenCV none of it.

One short exchange on a connection of its own, bounded in time and bytes: who answers may be anybody.
"""

import base64
import hashlib
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlunsplit

from drivers.base import Clock, LinkError

PORTS: Final[Mapping[str, int]] = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

_MOST_BYTES = 64 << 10
_CODECS = frozenset({"H264", "H265", "HEVC", "JPEG", "MP4V-ES", "MPV", "VP8", "VP9", "AV1"})
_STATIC = {"26": "JPEG", "31": "H261", "32": "MPV"}
"""Payload types of RFC 3551 that need no rtpmap."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of an RTSP or HTTP server; the names of `headers` are lower-case, and what one has twice is two lines."""

    status: int
    words: str
    headers: Mapping[str, str]
    body: bytes


class _End:
    """Of the time an exchange may take in all, however slowly it is answered."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._at_s = clock.mono_s() + limit_s

    @property
    def left_s(self) -> float:
        return max(0.001, self._at_s - self._clock.mono_s())


def demand_stream(camera: str, address: SplitResult, limit_s: float, clock: Clock) -> None:
    """Returns when a stream may be expected. Raises: LinkError with what an operator can do.

    `address` holds user name and password; nothing of them is in an error.
    """
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), limit_s) as link:
            if address.scheme in ("rtsps", "https"):
                return  # FFmpeg speaks TLS; a second exchange would have to as well
            answer = _ask(link, address, limit_s, clock)
    except TimeoutError as err:
        raise _error(camera, f"{place} does not answer", "check the camera's power, its cable and its address") from err
    except (OSError, UnicodeError) as err:
        why = err.strerror or str(err) if isinstance(err, OSError) else "its name is no name of a host"
        reason = f"{place} cannot be reached ({why})"
        raise _error(camera, reason, "check the camera's power, its cable and its address") from err
    if answer is None:
        kind = address.scheme.upper()
        raise _error(camera, f"{place} does not speak {kind}", "correct the camera's source: its port or its path")
    _judge(camera, place, address, answer)


def parse(data: bytes) -> Answer | None:
    """An answer with as much of its body as there is; None if it is none."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"(?:RTSP|HTTP)/1\.[01] (\d{3}) ?(.*)", first)
    if found is None:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key, before = name.strip().lower(), headers.get(name.strip().lower())
        headers[key] = value.strip() if before is None else f"{before}\n{value.strip()}"
    return Answer(int(found[1]), found[2][:40], headers, body)


def video_codec(description: bytes) -> str | None:
    """The codec of the first stream of pictures in a session description (RFC 8866); None if there is none."""
    text = description.decode("latin-1")
    found = re.search(r"^m=video \S+ \S+ (\d+)", text, re.MULTILINE)
    if found is None:
        return None
    named = re.search(rf"^a=rtpmap:{found[1]} ([^/\s]+)/", text[found.end() :], re.MULTILINE)
    return named[1].upper() if named else _STATIC.get(found[1], f"payload {found[1]}")


def authorization(challenges: str, method: str, url: str, user: str, password: str) -> str | None:
    """The header that answers the safest of the challenges, one a line, that FFmpeg knows too (RFC 7617, RFC 2069):
    a digest by MD5 before the password itself. None if there is none.
    """
    offered = challenges.split("\n")
    facts = next((facts for facts in map(_digest, offered) if facts is not None), None)
    if facts is None:
        if not any(challenge.lower().startswith("basic") for challenge in offered):
            return None
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    secret = _md5(f"{user}:{facts['realm']}:{password}")
    response = _md5(f"{secret}:{facts['nonce']}:{_md5(f'{method}:{url}')}")
    return (
        f'Digest username="{user}", realm="{facts["realm"]}", nonce="{facts["nonce"]}", '
        f'uri="{url}", response="{response}"'
    )


def _digest(challenge: str) -> Mapping[str, str] | None:
    """What a challenge to a digest by MD5 says; None for any other."""
    scheme, _, rest = challenge.partition(" ")
    facts = {name.lower(): quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', rest)}
    known = scheme.lower() == "digest" and facts.get("algorithm", "MD5").upper() == "MD5"
    return facts if known and {"realm", "nonce"} <= facts.keys() else None


def _ask(link: socket.socket, address: SplitResult, limit_s: float, clock: Clock) -> Answer | None:
    """The answer, to a second question with the password where the first is refused without it."""
    end = _End(clock, limit_s)
    method, url = _question(address)
    answer = _exchange(link, address, f"{method} {url}", "", end)
    if answer is None or answer.status != 401 or address.username is None:
        return answer
    user, password = unquote(address.username), unquote(address.password or "")
    header = authorization(answer.headers.get("www-authenticate", ""), method, url, user, password)
    if header is None:
        return answer
    if address.scheme == "rtsp":
        return _exchange(link, address, f"{method} {url}", header, end)
    place = (address.hostname or "", address.port or PORTS[address.scheme])
    with socket.create_connection(place, limit_s) as again:
        return _exchange(again, address, f"{method} {url}", header, end)


def _question(address: SplitResult) -> tuple[str, str]:
    if address.scheme == "rtsp":
        return "DESCRIBE", urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2]))
    return "GET", urlunsplit(("", "", address.path or "/", address.query, ""))


def _exchange(link: socket.socket, address: SplitResult, what: str, header: str, end: _End) -> Answer | None:
    rtsp = address.scheme == "rtsp"
    lines = [f"{what} RTSP/1.0", f"CSeq: {2 if header else 1}", "Accept: application/sdp"]
    if not rtsp:
        lines = [f"{what} HTTP/1.0", f"Host: {address.netloc.rpartition('@')[2]}"]
    lines += [f"Authorization: {header}"] if header else []
    link.sendall("\r\n".join([*lines, "User-Agent: gatehouse", "", ""]).encode("latin-1", "replace"))
    data = b""
    while b"\r\n\r\n" not in data or (rtsp and not _whole(data)):
        link.settimeout(end.left_s)
        chunk = link.recv(4096)
        data += chunk
        if not chunk or len(data) > _MOST_BYTES:
            break
    return parse(data) if b"\r\n\r\n" in data else None


def _whole(data: bytes) -> bool:
    answer = parse(data)
    length = answer.headers.get("content-length", "0") if answer else "0"
    # A length beyond all that is read is none: Python refuses to convert thousands of digits.
    return (
        answer is None
        or not length.isdecimal()
        or len(length) > len(str(_MOST_BYTES))
        or len(answer.body) >= int(length)
    )


def _judge(camera: str, place: str, address: SplitResult, answer: Answer) -> None:
    if answer.status in (401, 403):
        if address.username is None:
            hint = "write user:password into a file and name it as password_file"
            raise _error(camera, f"{place} asks for a user name and a password", hint)
        challenges = answer.headers.get("www-authenticate", "")
        if challenges and authorization(challenges, "", "", "", "") is None:
            hint = "set the camera's RTSP authentication to digest by MD5"
            raise _error(camera, f"{place} asks for the password in a way that is not understood", hint)
        hint = "correct the user name in the source or the password in the password file"
        raise _error(camera, f"{place} refuses the user name or the password", hint)
    if answer.status == 404:
        hint = "correct the path in the camera's source; its manual names that of the sub-stream"
        raise _error(camera, f"{place} has no stream at this path", hint)
    if answer.status >= 400:
        reason = f"{place} answers {answer.status} {answer.words}".rstrip()
        raise _error(camera, reason, "restart the camera; too many viewers are a common cause")
    if address.scheme == "rtsp" and answer.status == 200:
        codec = video_codec(answer.body)
        if codec is None:
            raise _error(camera, f"{place} offers no pictures", "correct the path in the camera's source")
        if codec not in _CODECS:
            hint = "set the sub-stream to H.264 in the camera's own settings"
            raise _error(camera, f"{place} sends its pictures as {codec[:20]}, which is not understood", hint)


def _error(camera: str, reason: str, hint: str) -> LinkError:
    return LinkError(camera, f"cannot open: {reason}", hint=hint)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # the protocol's own
