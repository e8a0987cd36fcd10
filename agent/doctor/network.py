"""The broker and network cameras: name, connection, TLS, certificates; every step with a short time-out."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from agent.doctor.chinese import both
from agent.doctor.findings import Finding, bad, ok, warn
from agent.settings import Camera, Settings
from agent.uplink import papers
from agent.uplink.dial import Target, explain
from agent.words import Words
from drivers.base import Clock

_BROKER = Words("broker", "消息代理")
_OWN = Words("gateway certificate", "网关证书")
_STEP_S = 4.0
_SOON = timedelta(days=30)


async def broker(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Each as the agent dials it, up to the end of the TLS handshake; nothing is sent over it."""
    missing = [path for path in (settings.centre.ca_file, settings.centre.cert_file) if path and not _readable(path)]
    for path in missing:
        yield bad(
            _BROKER,
            Words(f"{path} is not there or may not be read", f"{path} 不存在或没有权限读取"),
            Words(
                "put the centre's file there, readable for the group gatehouse",
                "请放置综治中心提供的文件，并允许 gatehouse 组读取",
            ),
        )
    if missing:
        return
    for finding in own_certificate(settings.centre.cert_file, clock.utc()):
        yield finding
    for target in Target.all(settings.centre):
        async for finding in _dialled(target, clock):
            yield finding


async def _dialled(target: Target, clock: Clock) -> AsyncIterator[Finding]:
    try:
        context = papers.read(target, None).context if target.tls else None
        async with clock.timeout(_STEP_S):
            reader, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except papers.PapersError as err:
        yield bad(_BROKER, both(str(err)), both(err.hint))
        return
    except (OSError, ValueError) as err:
        failed = explain(err, target)
        yield bad(_BROKER, both(failed.reason), both(failed.hint))
        return
    session = writer.get_extra_info("ssl_object")
    writer.close()
    with suppress(OSError, TimeoutError):
        async with clock.timeout(_STEP_S):
            await writer.wait_closed()
    del reader
    if session is None:
        yield ok(_BROKER, f"{target} answers, without encryption", f"{target} 可连接，未加密")
        return
    assert isinstance(session, ssl.SSLObject)
    yield ok(_BROKER, f"{target} answers, {session.version()}", f"{target} 可连接，{session.version()}")
    certificate = session.getpeercert()
    if certificate and (until := certificate.get("notAfter")):
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(until)), UTC)
        yield expiry(Words("broker certificate", "代理证书"), end, clock.utc())


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


def own_certificate(path: Path | None, now: datetime | None) -> Iterator[Finding]:
    """When this gateway's own certificate ends; what is wrong with the file is told by the dialling."""
    if path is None:
        return
    from cryptography import x509

    with suppress(ValueError):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        yield expiry(_OWN, certificate.not_valid_after_utc, now)


def expiry(area: Words, end: datetime, now: datetime | None) -> Finding:
    day = f"{end:%Y-%m-%d}"
    if now is None:
        return warn(
            area,
            Words(
                f"ends on {day}; without a trusted clock nobody can tell whether that is past",
                f"有效期至 {day}；时钟未校准，无法判断是否过期",
            ),
            Words("have the clock set, see below", "请先校准时钟（见下）"),
        )
    if end <= now:
        return bad(
            area,
            Words(f"ended on {day}", f"已于 {day} 过期"),
            Words("ask the centre for a new one", "请向综治中心申请新证书"),
        )
    if end - now < _SOON:
        return warn(
            area,
            Words(f"ends on {day}, in {(end - now).days} days", f"将于 {day} 过期，还有 {(end - now).days} 天"),
            Words("ask the centre for a new one now", "请尽快向综治中心申请新证书"),
        )
    return ok(area, f"good until {day}", f"有效期至 {day}")


async def network_camera(camera: Camera, clock: Clock) -> Finding:
    """Whether something answers at the camera's address."""
    area = Words(f"camera {camera.id}", f"摄像机 {camera.id}")
    parts = urlsplit(camera.source)
    host, port = parts.hostname or "", parts.port or 554
    try:
        async with clock.timeout(_STEP_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as err:
        reason = "no answer" if isinstance(err, TimeoutError) else (err.strerror or str(err))
        return bad(
            area,
            Words(f"{host}:{port} cannot be reached: {reason}", f"无法连接 {host}:{port}：{reason}"),
            Words("check the camera's power, cable and address", "请检查摄像机的电源、网线和地址"),
        )
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return ok(area, f"{host}:{port} answers", f"{host}:{port} 可连接")
