"""Ports, GPIO chips and cameras of this machine. Opens what it must and changes nothing."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.doctor.findings import Finding, bad, ok
from agent.settings import GpioChip, Settings, WiegandBus
from agent.words import Words
from drivers.gpio import GpioInput, GpioOutput
from drivers.wiegand.config import lines_of

if TYPE_CHECKING:
    import gpiod

DEVICES = Path("/dev")


def ports(settings: Settings, *, running: bool) -> Iterator[Finding]:
    """`running`: the agent is at work, so that a port in use is in its hands."""
    for device in settings.devices:
        if not isinstance(device, GpioChip | WiegandBus):
            yield _port(device.id, Path(device.port), running=running)


def _port(name: str, path: Path, *, running: bool) -> Finding:
    area = Words(f"port of {name}", f"{name} 的串口")
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as err:
        return _no_port(area, path, err.errno or 0)
    try:
        if not os.isatty(fd):
            return _no_port(area, path, errno.ENOTTY)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if running:
            return ok(area, f"{path} is in use by the running agent", f"{path} 正由运行中的网关程序使用")
        return bad(
            area,
            Words(f"{path} is in use by another program", f"{path} 被其他程序占用"),
            Words(f"find it and stop it: fuser -v {path}", f"请找出并停止该程序：fuser -v {path}"),
        )
    finally:
        os.close(fd)
    return ok(area, f"{path} can be opened", f"{path} 可以打开")


def _no_port(area: Words, path: Path, number: int) -> Finding:
    match number:
        case errno.ENOENT:
            return bad(
                area,
                Words(f"{path} is not there", f"{path} 不存在"),
                Words(
                    f"check the adapter's plug and power; ports of this machine: {_listed()}",
                    f"请检查转换器的插头和电源；本机串口：{_listed()}",
                ),
            )
        case errno.EACCES | errno.EPERM:
            return bad(
                area,
                Words(f"{path} may not be opened", f"没有权限打开 {path}"),
                Words("add the user to the group dialout: usermod -aG dialout gatehouse",
                      "请将用户加入 dialout 组：usermod -aG dialout gatehouse"),
            )  # fmt: skip
        case errno.ENOTTY | errno.EISDIR:
            return bad(
                area,
                Words(f"{path} is no serial port", f"{path} 不是串口"),
                Words("name a serial port: ls /dev/serial/by-path", "请指定串口：ls /dev/serial/by-path"),
            )
        case _:
            return bad(
                area,
                Words(f"{path} cannot be opened: {os.strerror(number)}", f"无法打开 {path}：{os.strerror(number)}"),
                Words("unplug the adapter and plug it in again", "请重新插拔转换器"),
            )


def _listed() -> str:
    """Ports of this machine, by their stable names where they have one."""
    stable = sorted((DEVICES / "serial/by-path").glob("*"))
    plain = [path for kind in ("ttyUSB*", "ttyACM*", "ttyAMA*") for path in sorted(DEVICES.glob(kind))]
    return ", ".join(str(path) for path in stable or plain) or "-"


def chips(settings: Settings) -> Iterator[Finding]:
    for device in settings.devices:
        found: tuple[GpioChip, ...] = ()
        if isinstance(device, GpioChip):
            found = (device,)
        elif isinstance(device, WiegandBus):
            found = tuple(lines_of(device, reader) for reader in device.readers)
        for chip in found:
            yield _server(chip) if chip.chip.startswith("unix:") else _chip(chip)


def _server(config: GpioChip) -> Finding:
    path = Path(config.chip.removeprefix("unix:"))
    area = Words(f"GPIO of {config.id}", f"{config.id} 的 GPIO")
    if path.is_socket():
        return ok(area, f"the line server {path} is there", f"引脚服务 {path} 存在")
    return bad(
        area,
        Words(f"there is no line server at {path}", f"{path} 处没有引脚服务"),
        Words("start it, or name a real chip: gpiodetect", "请启动它，或指定真实芯片：gpiodetect"),
    )


def _chip(config: GpioChip) -> Finding:
    import gpiod

    area = Words(f"GPIO of {config.id}", f"{config.id} 的 GPIO")
    labels = []
    by_path = config.chip.startswith("/")
    for path in [Path(config.chip)] if by_path else sorted(DEVICES.glob("gpiochip*")):
        try:
            with gpiod.Chip(str(path)) as chip:
                label = chip.get_info().label
                labels.append(label)
                if by_path or config.chip in {label, chip.get_info().name}:
                    return _lines(config, chip, area)
        except PermissionError:
            return bad(
                area,
                Words(f"{path} may not be opened", f"没有权限打开 {path}"),
                Words("add the user to the group gpio: usermod -aG gpio gatehouse",
                      "请将用户加入 gpio 组：usermod -aG gpio gatehouse"),
            )  # fmt: skip
        except OSError:
            labels.append(f"{path} (no GPIO chip)")
    found = ", ".join(labels)
    cure = Words(f"name a chip of this machine (gpiodetect): {found}", f"请指定本机的芯片（gpiodetect）：{found}")
    if not found:
        cure = Words("this machine has no GPIO chip; see: dmesg", "本机没有 GPIO 芯片；请查看 dmesg")
    return bad(area, Words(f"there is no GPIO chip {config.chip}", f"没有 GPIO 芯片 {config.chip}"), cure)


def _lines(config: GpioChip, chip: "gpiod.Chip", area: Words) -> Finding:
    wrong = []
    lines: list[GpioInput | GpioOutput] = [*config.inputs, *config.outputs]
    for line in lines:
        try:
            chip.line_offset_from_id(line.line)
        except (OSError, ValueError):
            wrong.append(f"{line.id} ({line.line})")
    if wrong:
        listed = ", ".join(wrong)
        return bad(
            area,
            Words(f"chip {config.chip} has no lines for {listed}", f"芯片 {config.chip} 没有这些引脚：{listed}"),
            Words("take a number or a name from: gpioinfo", "请从 gpioinfo 中选择编号或名称"),
        )
    return ok(
        area, f"chip {config.chip} has all {len(lines)} lines", f"芯片 {config.chip} 具有全部 {len(lines)} 个引脚"
    )


def camera_files(settings: Settings) -> Iterator[Finding]:
    """Clips and USB cameras; network cameras are the network's matter."""
    for camera in settings.cameras:
        if "://" in camera.source:
            continue
        path = Path(camera.source.removeprefix("file:"))
        area = Words(f"camera {camera.id}", f"摄像机 {camera.id}")
        if os.access(path, os.R_OK):
            yield ok(area, f"{path} is there", f"{path} 存在")
        elif path.exists():
            yield bad(
                area,
                Words(f"{path} may not be read", f"没有权限读取 {path}"),
                Words(
                    "add the user to the group video, or correct the file's mode",
                    "请将用户加入 video 组，或更正文件权限",
                ),
            )
        else:
            yield bad(
                area,
                Words(f"{path} is not there", f"{path} 不存在"),
                Words("check plug and power, or the name of the clip", "请检查插头和电源，或视频文件名"),
            )
