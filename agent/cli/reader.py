"""`gatehouse reader`: find readers on a bus and give them keys, on site, with the service stopped."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

from agent.settings import Settings, load
from agent.words import Lang, Words
from drivers.base import Clock, ConfigError
from drivers.osdp.config import Baud, OsdpBus, OsdpReader
from drivers.osdp.keying import Found, Keying, scan

Named = TypeVar("Named")

_CONFIRM = Words(
    "The new key crosses the cable under the default key: whoever listens now will know it. Is this the reader before "
    "you, and are you the only one at its cable? Type yes: ",
    "新密钥将在默认密钥保护下经线缆传输，此刻监听者可得知。确认这是您面前的读卡器，且无他人接触线缆？输入 yes：",
)
_NOTHING = Words("no reader answers on this bus", "此总线上没有读卡器应答")
_PIN = Words(
    "to be warned of a swap, add to the reader's table in the file", "如需在被替换时报警，请在文件中该读卡器处添加"
)
_KEYED = Words("has its own key now, in", "已使用自己的密钥，保存于")
_START = Words("start the service again", "请重新启动服务")
_UNKNOWN = Words("not in the file", "文件中没有")


def scan_bus(file: Path, name: str, clock: Clock, lang: Lang, *, every_baud: bool) -> int:
    """Print every reader that answers; 1 when there is none."""
    buses = {bus.id: bus for bus in _buses(load(file))}
    bus = _named(buses, name, "bus")
    bauds = tuple(get_args(Baud)) if every_baud else (bus.baud,)
    known = {reader.address: reader.id for reader in bus.readers}

    async def print_all() -> int:
        count = 0
        async for found in scan(bus, clock, bauds):
            count += 1
            print(_line(found, known.get(found.address, _UNKNOWN.to(lang))), flush=True)
        return count

    if asyncio.run(print_all()):
        return 0
    print(_NOTHING.to(lang))
    return 1


def install_key(
    file: Path,
    name: str,
    clock: Clock,
    lang: Lang,
    *,
    limit_s: float,
    confirmed: bool,
    ask: Callable[[str], str] = input,
) -> int:
    """Give one reader on the default key a key of its own, once a person has confirmed that it is the one."""
    bus, reader = _reader(file, name)
    keying = Keying(bus, reader, clock)
    identity = asyncio.run(keying.identify())
    print(f"{reader.id}: {identity}")
    if not confirmed:
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to confirm", hint="run it at a terminal, or add --yes")
        if ask(_CONFIRM.to(lang)).strip().lower() != "yes":
            return 1
    asyncio.run(keying.install(identity, limit_s))
    print(f"{reader.id}: {_KEYED.to(lang)} {reader.key_file}")
    if reader.identity != identity.pin:
        print(f'{_PIN.to(lang)}: identity = "{identity.pin}"')
    print(_START.to(lang))
    return 0


def rotate_key(file: Path, name: str, clock: Clock, lang: Lang) -> int:
    bus, reader = _reader(file, name)
    identity = asyncio.run(Keying(bus, reader, clock).rotate())
    print(f"{reader.id}: {identity}")
    print(f"{reader.id}: {_KEYED.to(lang)} {reader.key_file}")
    print(_START.to(lang))
    return 0


def _line(found: Found, name: str) -> str:
    return f"{found.baud:>6}  {found.address:>3}  {name:20}  {found.identity}"


def _buses(settings: Settings) -> tuple[OsdpBus, ...]:
    return tuple(device for device in settings.devices if isinstance(device, OsdpBus))


def _reader(file: Path, name: str) -> tuple[OsdpBus, OsdpReader]:
    found = {reader.id: (bus, reader) for bus in _buses(load(file)) for reader in bus.readers}
    return _named(found, name, "reader")


def _named(things: dict[str, Named], name: str, what: str) -> Named:
    if name not in things:
        raise ConfigError(f"there is no OSDP {what} {name}", hint=f"the file has: {', '.join(things) or 'none'}")
    return things[name]
