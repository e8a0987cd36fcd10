"""Checks of place, addresses of cameras, centre and storage."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from agent.settings import areas
from agent.settings.cameras import Camera
from agent.settings.models import Centre, Confirm, Protocol, Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words

_OVER_NETWORK = ("rtsp://", "rtsps://", "http://", "https://")
_SOURCES = (*_OVER_NETWORK, "file:", "/dev/")


def problems(settings: Settings) -> Iterator[Finding]:
    yield from areas.problems(settings.gateway)
    for index, camera in enumerate(settings.cameras):
        yield from _camera(camera, ("cameras", index))
    yield from _centre(settings.centre)
    if settings.storage.alarm_reserve_mb >= settings.storage.max_mb:
        yield Finding(
            ("storage", "alarm_reserve_mb"),
            Words(
                f"is {settings.storage.alarm_reserve_mb}, not less than max_mb ({settings.storage.max_mb}).",
                f"当前为 {settings.storage.alarm_reserve_mb}，不小于 max_mb（{settings.storage.max_mb}）。",
            ),
            Words("Write a reserve that is less than max_mb.", "预留空间应小于 max_mb。"),
        )


def _camera(camera: Camera, place: KeyPath) -> Iterator[Finding]:
    if not camera.source.startswith(_SOURCES):
        yield Finding(
            (*place, "source"),
            Words("is not an address of a camera.", "不是摄像机地址。"),
            Words(
                "Write rtsp://…, http://… (MJPEG), a USB camera's path /dev/video…, or file: and a clip.",
                "请填写 rtsp://…、http://…（MJPEG）、USB 摄像机路径 /dev/video… 或 file: 加视频文件。",
            ),
        )
    elif camera.source.startswith(_OVER_NETWORK) and not _is_place(_parts(camera.source)):
        yield Finding(
            (*place, "source"),
            Words("names no host, or a port that is none.", "没有主机名，或端口无效。"),
            Words("Write rtsp://host/… or rtsp://host:554/….", "应写为 rtsp://主机/… 或 rtsp://主机:554/…。"),
        )
    elif "@" in camera.source and _parts(camera.source).password is not None:
        yield Finding(
            (*place, "source"),
            Words("contains a password.", "包含密码。"),
            Words(
                "Put the password in a file with mode 0600 and name it with password_file.",
                "请将密码存入权限为 0600 的文件，并用 password_file 指定。",
            ),
        )


def _centre(centre: Centre) -> Iterator[Finding]:
    yield from _broker(("centre", "broker"), centre.broker)
    for number, address in enumerate(centre.fallback):
        key: KeyPath = ("centre", "fallback", number)
        yield from _broker(key, address)
        if address in (centre.broker, *centre.fallback[:number]):
            yield Finding(
                key,
                Words("is named already.", "与前面的地址重复。"),
                Words("Name each broker once.", "每个代理只写一次。"),
            )
    if centre.confirm is Confirm.BROKER and centre.protocol is Protocol.MQTT311:
        yield Finding(
            ("centre", "confirm"),
            Words(
                'is "broker", but an MQTT 3.1.1 broker acknowledges even what it has refused.',
                '当前为 "broker"，但 MQTT 3.1.1 的代理对被拒绝的消息也会确认。',
            ),
            Words('Write confirm = "centre", or protocol = "5".', '请写 confirm = "centre"，或 protocol = "5"。'),
        )
    for given, needed in (("cert_file", "key_file"), ("key_file", "cert_file"), ("password_file", "username")):
        if getattr(centre, given) is not None and getattr(centre, needed) is None:
            yield Finding(
                ("centre", needed),
                Words(f"is missing, and {given} is of no use without it.", f"缺失，没有它 {given} 不起作用。"),
                Words(f"Add {needed}, or remove {given}.", f"请添加 {needed}，或删除 {given}。"),
            )


def _broker(key: KeyPath, address: str) -> Iterator[Finding]:
    parts = _parts(address)
    if (fault := _address_fault(parts)) is not None:
        yield Finding(
            key,
            fault,
            Words("Write mqtts://host or mqtts://host:port.", "应写为 mqtts://主机 或 mqtts://主机:端口。"),
        )
    elif parts.scheme == "mqtt" and not is_plain_loopback(address):
        yield Finding(
            key,
            Words("would send events without encryption over the network.", "将在网络上明文传输事件。"),
            Words("Write mqtts:// instead of mqtt://.", "请将 mqtt:// 改为 mqtts://。"),
        )


def is_broker(address: str) -> bool:
    """Whether this is the address of a broker, as far as its form goes."""
    parts = _parts(address)
    return parts.scheme in ("mqtt", "mqtts") and _address_fault(parts) is None


def _address_fault(parts: SplitResult) -> Words | None:
    try:
        port = parts.port
    except ValueError:
        return Words("has a port that is not a number from 1 to 65535.", "端口不是 1 到 65535 的数字。")
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in parts.netloc):
        return Words("names no host.", "没有主机名。")
    if port == 0:
        return Words("has the port 0.", "端口为 0。")
    if "@" in parts.netloc:
        return Words("contains a user name or password.", "包含用户名或密码。")
    if parts.path.strip("/") or parts.query or parts.fragment:
        return Words("goes on after host and port.", "在主机和端口之后还有多余内容。")
    return None


def _parts(address: str) -> SplitResult:
    """The parts of an address; one that cannot be taken apart names no host."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _is_place(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_plain_loopback(broker: str) -> bool:
    """Whether a broker is spoken to without encryption, within this machine."""
    parts = _parts(broker)
    host = parts.hostname or ""
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return parts.scheme == "mqtt" and local
