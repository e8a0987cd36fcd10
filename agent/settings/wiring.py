"""Checks of buses, ports and lines: nothing may be used twice, nothing may lack what it needs."""

from collections.abc import Iterator

from agent.settings.models import Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words
from drivers.gpio import GpioChip
from drivers.modbus import Encoding, ModbusBus, ModbusPoint, Register
from drivers.osdp.config import OsdpBus, SecureChannel
from drivers.wiegand.config import WiegandBus, lines_of

_BITS = (Register.COIL, Register.DISCRETE)
_ADDRESSES = 65536
_SETTINGS = 10
"""Kinds of line settings the kernel takes in one request (GPIO_V2_LINE_NUM_ATTRS_MAX)."""
RENEWED_S = 10.0
"""A lock's output is told to be on for so long at a time, again and again while the door is unlocked."""


def problems(settings: Settings) -> Iterator[Finding]:
    yield from _ports(settings)
    yield from _lines(settings)
    for index, device in enumerate(settings.devices):
        place: KeyPath = ("devices", index)
        if isinstance(device, OsdpBus):
            yield from _osdp(device, place)
        elif isinstance(device, ModbusBus):
            yield from _modbus(device, place)
        elif isinstance(device, GpioChip):
            yield from _gpio(device, place)
            yield from _maxima(device, {door.lock for door in settings.doors}, place)


def _ports(settings: Settings) -> Iterator[Finding]:
    owner: dict[str, str] = {}
    for index, device in enumerate(settings.devices):
        if isinstance(device, GpioChip | WiegandBus):
            continue
        place: KeyPath = ("devices", index, "port")
        if not device.port.startswith("/"):
            yield Finding(
                place,
                Words("is not the whole path of a port.", "不是串口的完整路径。"),
                Words(
                    "Write it from the first slash on, such as /dev/serial/by-path/…; to list: ls /dev/serial/by-path",
                    "请从第一个斜杠写起，例如 /dev/serial/by-path/…；查看方法：ls /dev/serial/by-path",
                ),
            )
        elif device.port in owner:
            yield Finding(
                place,
                Words(f"is the port of {owner[device.port]} too.", f"与 {owner[device.port]} 使用了同一个串口。"),
                Words(
                    "Give each bus a port of its own; one port carries one protocol.",
                    "请为每条总线指定各自的串口；一个串口只能走一种协议。",
                ),
            )
        owner.setdefault(device.port, device.id)


def _osdp(bus: OsdpBus, place: KeyPath) -> Iterator[Finding]:
    owner: dict[int, str] = {}
    for index, reader in enumerate(bus.readers):
        if reader.address in owner:
            yield Finding(
                (*place, "readers", index, "address"),
                Words(
                    f"is {reader.address}, the address of {owner[reader.address]} on this bus.",
                    f"当前为 {reader.address}，本总线上的 {owner[reader.address]} 已使用该地址。",
                ),
                _free("address", "地址", owner, range(127)),
            )
        owner.setdefault(reader.address, reader.id)
        if reader.secure_channel is SecureChannel.REQUIRED and reader.key_file is None:
            yield Finding(
                (*place, "readers", index, "key_file"),
                Words("is missing, and the secure channel needs a key.", "缺失，安全通道需要密钥。"),
                Words(
                    f'Add key_file = "keys/{reader.id}.key", a file with 32 hexadecimal digits.',
                    f'请添加 key_file = "keys/{reader.id}.key"，文件内容为 32 位十六进制数。',
                ),
            )


def _modbus(bus: ModbusBus, place: KeyPath) -> Iterator[Finding]:
    owner: dict[int, str] = {}
    for index, unit in enumerate(bus.units):
        if unit.unit in owner:
            yield Finding(
                (*place, "units", index, "unit"),
                Words(
                    f"is {unit.unit}, the number of {owner[unit.unit]} on this bus.",
                    f"当前为 {unit.unit}，本总线上的 {owner[unit.unit]} 已使用该站号。",
                ),
                _free("number", "站号", owner, range(1, 248)),
            )
        owner.setdefault(unit.unit, unit.id)
        for n, point in enumerate(unit.points):
            yield from _point(point, (*place, "units", index, "points", n))


def _point(point: ModbusPoint, place: KeyPath) -> Iterator[Finding]:
    if point.register_type in _BITS and point.encoding is not Encoding.BIT:
        yield Finding(
            (*place, "encoding"),
            Words(
                f'is "{point.encoding}", but a {point.register_type} is a single bit.',
                f'当前为 "{point.encoding}"，但 {point.register_type} 只有一位。',
            ),
            Words(
                'Write encoding = "bit", or register = "holding" or "input".',
                '请写 encoding = "bit"，或将 register 改为 "holding" 或 "input"。',
            ),
        )
    elif point.address + point.count > _ADDRESSES:
        yield Finding(
            (*place, "address"),
            Words(
                f"is {point.address}, and {point.encoding} reaches beyond the last register, 65535.",
                f"为 {point.address}，{point.encoding} 超出最后一个寄存器 65535。",
            ),
            Words("Correct the address or the encoding.", "请更正地址或编码。"),
        )


def _gpio(chip: GpioChip, place: KeyPath) -> Iterator[Finding]:
    """One request holds all lines of the chip; it has room for so many kinds beside the first flags."""
    kinds: set[object] = {(line.active, line.bias) for line in chip.inputs} | {line.active for line in chip.outputs}
    kinds |= {line.debounce_ms for line in chip.inputs if line.debounce_ms}
    count = len(kinds) - 1 + bool(chip.outputs)
    if count > _SETTINGS:
        yield Finding(
            (*place, "inputs"),
            Words(
                f"have {count} kinds of settings, and the kernel takes {_SETTINGS}.",
                f"共有 {count} 种设置，内核最多接受 {_SETTINGS} 种。",
            ),
            Words(
                "Let more lines share the same debounce_ms, active and bias.",
                "请让更多引脚使用相同的 debounce_ms、active 和 bias。",
            ),
        )


def _maxima(chip: GpioChip, locks: set[str], place: KeyPath) -> Iterator[Finding]:
    for index, output in enumerate(chip.outputs):
        where = (*place, "outputs", index, "max_on_s")
        if output.max_on_s is not None and output.safe:
            yield Finding(
                where,
                Words("is given, but the output is on in its safe state.", "已填写，但该输出的安全状态为接通。"),
                Words("Remove max_on_s, or write safe = false.", "请删除 max_on_s，或写 safe = false。"),
            )
        elif output.max_on_s is not None and output.max_on_s < RENEWED_S and f"{chip.id}/{output.id}" in locks:
            yield Finding(
                where,
                Words(
                    f"is {output.max_on_s:g}, and a lock is held unlocked by orders for {RENEWED_S:g} s each.",
                    f"当前为 {output.max_on_s:g}，而开锁状态靠每次 {RENEWED_S:g} 秒的命令保持。",
                ),
                Words(
                    f"Write {RENEWED_S:g} or more; how long a card unlocks is the door's unlock_s.",
                    f"请填写不小于 {RENEWED_S:g} 的值；刷卡开锁时长由门的 unlock_s 决定。",
                ),
            )


def _free(en: str, zh: str, taken: dict[int, str], allowed: range) -> Words:
    free = next((number for number in allowed if number not in taken), None)
    if free is None:
        return Words(f"Every {en} of this bus is taken; use a second bus.", f"本总线的{zh}已用完，请使用第二条总线。")
    return Words(
        f"Set the device itself and this key to a free {en}, such as {free}.",
        f"请将设备本身和此处都改为空闲的{zh}，例如 {free}。",
    )


def _lines(settings: Settings) -> Iterator[Finding]:
    owner: dict[tuple[str, int | str], str] = {}
    for index, device in enumerate(settings.devices):
        place: KeyPath = ("devices", index)
        lines: list[tuple[KeyPath, str, int | str]] = []
        if isinstance(device, GpioChip):
            lines += [((*place, "inputs", n, "line"), entry.id, entry.line) for n, entry in enumerate(device.inputs)]
            lines += [((*place, "outputs", n, "line"), entry.id, entry.line) for n, entry in enumerate(device.outputs)]
        elif isinstance(device, WiegandBus):
            for n, reader in enumerate(device.readers):
                chip, at = lines_of(device, reader), (*place, "readers", n)
                lines += [((*at, entry.id), f"{reader.id}/{entry.id}", entry.line) for entry in chip.inputs]
                lines += [((*at, entry.id, "line"), f"{reader.id}/{entry.id}", entry.line) for entry in chip.outputs]
        else:
            continue
        for where, name, line in lines:
            yield from _line(where, line, owner.get((device.chip, _offset(line))))
            owner.setdefault((device.chip, _offset(line)), f"{device.id}/{name}")


def _line(where: KeyPath, line: int | str, owner: str | None) -> Iterator[Finding]:
    if owner is not None:
        yield Finding(
            where,
            Words(f"is {line}, the line of {owner}.", f"当前为 {line}，{owner} 已使用该引脚。"),
            Words("Write the line this wire is really on.", "请填写这根线实际连接的引脚。"),
        )
    if line == "" or (isinstance(line, int) and line < 0):
        yield Finding(
            where,
            Words("names no line of a chip.", "不是有效的引脚。"),
            Words(
                'Write its number, such as 17, or its name, such as "GPIO17".',
                '请填写编号（如 17）或名称（如 "GPIO17"）。',
            ),
        )


def _offset(line: int | str) -> int | str:
    """One name for a line: on Raspberry Pi boards GPIO17 is offset 17 of the header's chip."""
    digits = str(line).upper().removeprefix("GPIO")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 5 else line
