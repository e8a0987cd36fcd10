"""What cameras answer before a stream is opened, by real sockets and byte by byte."""

import asyncio
from urllib.parse import urlsplit

import pytest

from drivers.base import LinkError, SystemClock
from drivers.streams import authorization, demand_stream, parse, video_codec

H264 = b"v=0\r\nm=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 H264/90000\r\n"
DIGEST = b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="cam", nonce="17"\r\n\r\n'
SHA_256 = DIGEST.replace(b"Digest ", b"Digest algorithm=SHA-256, ")


def ok(body: bytes) -> bytes:
    return b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def refusal(*answers: bytes, address: str = "rtsp://viewer:pa55@127.0.0.1:{}/s", limit_s: float = 5.0) -> str:
    """Why a camera that answers so is not opened; empty if it is. The password is in none of it."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in answers:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                for byte in answer:
                    writer.write(bytes([byte]))
                await writer.drain()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        parts = urlsplit(address.format(server.sockets[0].getsockname()[1]))
        try:
            await asyncio.to_thread(demand_stream, "cam", parts, limit_s, SystemClock())
        except LinkError as err:
            refused: LinkError | None = err
        else:
            refused = None
    assert b"pa55" not in b"".join(asked)
    if refused is None:
        return ""
    assert "pa55" not in f"{refused}{refused.hint}"
    assert refused.hint
    return refused.reason


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([ok(H264)], ""),
        ([DIGEST, ok(H264)], ""),
        ([DIGEST, DIGEST], "refuses the user name or the password"),
        ([SHA_256], "asks for the password in a way that is not understood"),
        ([b"RTSP/1.0 404 Not Found\r\n\r\n"], "has no stream at this path"),
        ([b"RTSP/1.0 453 Not Enough Bandwidth\r\n\r\n"], "answers 453 Not Enough Bandwidth"),
        ([ok(H264.replace(b"H264", b"JPEG2000"))], "sends its pictures as JPEG2000, which is not understood"),
        ([ok(b"v=0\r\nm=audio 0 RTP/AVP 0\r\n")], "offers no pictures"),
        ([b"SSH-2.0-dropbear\r\n\r\n"], "does not speak RTSP"),
        ([b"RTSP/1.0 200 OK\r\nX: " + b"a" * 70_000], "does not speak RTSP"),
        ([b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"], "offers no pictures"),
        ([b"RTSP/1.0 200 OK\r\n"], "does not answer"),
    ],
)
async def test_each_refusal_of_a_camera_is_told_apart(answers: list[bytes], reason: str) -> None:
    found = await refusal(*answers, limit_s=0.5 if reason == "does not answer" else 5.0)
    assert found.endswith(reason)
    assert bool(found) == bool(reason)


async def test_without_a_password_the_file_is_named() -> None:
    found = await refusal(DIGEST, address="rtsp://127.0.0.1:{}/s")
    assert "asks for a user name and a password" in found


async def test_mjpeg_over_http_is_asked_as_http() -> None:
    address = "http://viewer:pa55@127.0.0.1:{}/s"
    assert await refusal(b"HTTP/1.1 200 OK\r\n\r\n--x", address=address) == ""
    assert "has no stream" in await refusal(b"HTTP/1.0 404 Not Found\r\n\r\n", address=address)


def test_challenges_are_answered_as_the_standards_say() -> None:
    assert authorization("Basic realm=x", "GET", "/", "Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert authorization("Bearer", "GET", "/", "a", "b") is None
    # RFC 2617, 3.5, computed without qop as RFC 2069 has it.
    header = authorization(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
        "GET", "/dir/index.html", "Mufasa", "Circle Of Life",
    )  # fmt: skip
    assert header is not None
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in header


def test_of_several_challenges_the_safest_that_is_known_is_answered() -> None:
    """Cameras offer a digest and the bare password, or digests of which FFmpeg knows one."""
    digest = 'WWW-Authenticate: Digest realm="cam", nonce="17", algorithm=MD5, stale="FALSE"'
    others = (
        'WWW-Authenticate: Digest realm="cam", nonce="18", algorithm=SHA-256',
        'WWW-Authenticate: Basic realm="cam"',
    )
    for lines in ([digest, *others], [*others, digest]):
        answer = parse("\r\n".join(["RTSP/1.0 401 Unauthorized", "CSeq: 1", *lines, "", ""]).encode())
        assert answer is not None
        header = authorization(answer.headers["www-authenticate"], "DESCRIBE", "rtsp://x/s", "viewer", "pa55")
        assert header is not None
        assert header.startswith("Digest ")
        assert 'nonce="17"' in header


def test_descriptions_name_the_codec_of_the_pictures() -> None:
    assert video_codec(H264) == "H264"
    assert video_codec(b"m=video 0 RTP/AVP 26\r\n") == "JPEG"
    assert video_codec(b"m=video 0 RTP/AVP 99\r\n") == "payload 99"
    assert video_codec(b"\xff\x00") is None
    assert parse(b"\x00\xff\r\n\r\n") is None
