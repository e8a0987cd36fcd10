"""What the settings allow but an installer should know: reported, never refused."""

from collections.abc import Iterator

from agent.settings import command_checks, inventory
from agent.settings.models import Confirm, Protocol, Settings
from agent.settings.problems import Finding
from agent.settings.surroundings import is_plain_loopback
from agent.words import Words
from drivers.base import ClockTrust
from drivers.osdp.config import OsdpBus, SecureChannel
from drivers.wiegand.config import WiegandBus

COMMON_NAME_CHARS = 64
"""X.509's bound; the broker's access list wants a gateway's whole path as the common name."""


def weaknesses(settings: Settings) -> Iterator[Finding]:
    """Each with what it means and what would be better."""
    yield from _readers(settings)
    yield from _doors(settings)
    yield from _centre(settings)
    yield from command_checks.weaknesses(settings)
    if settings.clock_trust is ClockTrust.ALWAYS:
        yield Finding(
            ("clock_trust",),
            Words(
                'is "always": events carry the time even when the clock is wrong.',
                '当前为 "always"：即使时钟有误，事件也会带上时间。',
            ),
            Words('Write "kernel" unless something else guarantees the time.', '除非另有可靠校时，否则请写 "kernel"。'),
        )


def _readers(settings: Settings) -> Iterator[Finding]:
    for index, bus in enumerate(settings.devices):
        for n, reader in enumerate(bus.readers if isinstance(bus, OsdpBus) else ()):
            if reader.secure_channel is SecureChannel.OFF:
                yield Finding(
                    ("devices", index, "readers", n, "secure_channel"),
                    Words(
                        'is "off": whoever reaches the cable can read and replay cards.',
                        '当前为 "off"：接触到线缆的人可以读取并重放卡号。',
                    ),
                    Words("Use a reader that supports the OSDP secure channel.", "请使用支持 OSDP 安全通道的读卡器。"),
                )
        if isinstance(bus, WiegandBus):
            yield Finding(
                ("devices", index),
                Words(
                    "is a Wiegand bus: whoever reaches a cable can read and replay cards, and a dead reader is silent.",
                    "为韦根接口：接触到线缆的人可以读取并重放卡号，读卡器损坏也无从察觉。",
                ),
                Words("Use OSDP readers where you can.", "条件允许时请使用 OSDP 读卡器。"),
            )


def _doors(settings: Settings) -> Iterator[Finding]:
    readers = inventory.readers(settings)
    for index, door in enumerate(settings.doors):
        if door.lock.partition("/")[0] in readers:
            yield Finding(
                ("doors", index, "lock"),
                Words(
                    "is a relay in a reader: whoever takes that off the wall outside opens the door.",
                    "为读卡器内的继电器：在门外拆下读卡器即可开门。",
                ),
                Words("Use a relay on the inner side.", "请使用安装在门内侧的继电器。"),
            )
        if door.contact is None:
            yield Finding(
                ("doors", index, "contact"),
                Words("is not given: a forced or held door cannot be noticed.", "未填写：无法发现强行开门或门未关。"),
                Words("Fit a door contact and name its input.", "请加装门磁并填写其输入点。"),
            )
    if settings.access.credentials_file is None and any(door.reader for door in settings.doors):
        yield Finding(
            ("access", "credentials_file"),
            Words("is not given: every card is denied.", "未填写：所有卡都会被拒绝。"),
            Words('Add credentials_file = "credentials.json".', '请添加 credentials_file = "credentials.json"。'),
        )


def _centre(settings: Settings) -> Iterator[Finding]:
    centre = settings.centre
    if any(is_plain_loopback(address) for address in (centre.broker, *centre.fallback)):
        yield Finding(
            ("centre", "broker"),
            Words("is not encrypted; allowed because it stays on this machine.", "未加密；因仅限本机而允许。"),
            Words("Use mqtts:// for any real centre.", "连接正式的综治中心请使用 mqtts://。"),
        )
    path = settings.gateway.path
    if centre.cert_file is not None and len(path) > COMMON_NAME_CHARS:
        yield Finding(
            ("gateway", "id"),
            Words(
                f"makes a path of {len(path)} characters; a certificate's common name holds {COMMON_NAME_CHARS}.",
                f"使网关路径达 {len(path)} 个字符，而证书 CN 最多 {COMMON_NAME_CHARS} 个字符。",
            ),
            Words("Choose a shorter id before its certificate is made.", "请在签发证书前改用更短的标识。"),
        )
    if centre.confirm is Confirm.BROKER:
        falls_back = centre.protocol is Protocol.AUTO
        yield Finding(
            ("centre", "confirm"),
            Words(
                'is "broker": what the centre loses after the broker took it is not sent again.'
                + (" On MQTT 3.1.1, which auto may fall back to, even refused events count as taken." * falls_back),
                '当前为 "broker"：代理收下之后，中心丢失的事件不会重发。'
                + ("自动回退到 MQTT 3.1.1 时，被拒绝的事件也会被当作已收下。" * falls_back),
            ),
            Words('Write confirm = "centre".', '请写 confirm = "centre"。'),
        )
