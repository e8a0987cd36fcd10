"""The whole examination: settings first, then everything the settings name."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from agent.doctor import files, hardware, network
from agent.doctor.chinese import both
from agent.doctor.findings import Finding, Level, bad, ok, warn
from agent.doctor.running import running
from agent.settings import Inspection, Problem, Settings, inspect
from agent.words import Lang, Words
from drivers.base import Clock, ClockTrust, GatehouseError

Ask: TypeAlias = Callable[[Path, Clock], Awaitable[Mapping[str, object]]]
"""Gets the running agent's word on itself from its run folder. Raises: GatehouseError when none answers."""

_SETTINGS = Words("settings", "配置")
_CLOCK = Words("clock", "时钟")
_AGENT = Words("agent", "网关程序")


async def examine(path: Path, clock: Clock, ask: Ask | None = None) -> list[Finding]:
    """Everything that is well and everything that is not; takes a few seconds at most."""
    inspection = inspect(path)
    findings = list(_settings(path, inspection))
    settings = inspection.settings
    if settings is None:
        return findings
    agent = [] if ask is None else await _agent(settings.run.folder, clock, ask)
    at_work = any(finding.level is Level.OK for finding in agent)
    findings += agent
    for part in (
        hardware.ports(settings, running=at_work),
        hardware.chips(settings),
        hardware.camera_files(settings),
        files.keys(settings),
        files.roots(settings),
        files.cards(settings),
        files.model(settings),
        files.storage(settings),
    ):
        findings += part
    findings += [finding async for finding in network.broker(settings, clock)]
    for camera in settings.cameras:
        if "://" in camera.source:
            findings.append(await network.network_camera(camera, clock))
    findings.append(_clock(settings, clock))
    return findings


def _settings(path: Path, inspection: Inspection) -> Iterator[Finding]:
    def said(problem: Problem) -> Words:
        place = Words(f"line {problem.line}: ", f"第 {problem.line} 行：") if problem.line else Words("", "")
        return Words(f"{place.en}{problem.said(Lang.EN)}", f"{place.zh}{problem.said(Lang.ZH)}")

    yield from (bad(_SETTINGS, said(problem), problem.cure) for problem in inspection.problems)
    yield from (warn(_SETTINGS, said(weakness), weakness.cure) for weakness in inspection.weaknesses)
    if inspection.settings is not None:
        yield ok(_SETTINGS, f"{path} can be run", f"{path} 可以运行")


async def _agent(folder: Path, clock: Clock, ask: Ask) -> list[Finding]:
    try:
        snapshot = await ask(folder, clock)
    except GatehouseError as err:
        return [warn(_AGENT, both(str(err)), both(err.hint))]
    amiss = [finding for finding in running(snapshot) if finding.level is Level.BAD]
    return [ok(_AGENT, "is running", "正在运行"), *amiss]


def _clock(settings: Settings, clock: Clock) -> Finding:
    if settings.clock_trust is ClockTrust.NEVER:
        return ok(_CLOCK, "no time is claimed, as configured", "按配置不使用时间")
    if settings.clock_trust is ClockTrust.ALWAYS:
        return ok(_CLOCK, "is trusted, as configured", "按配置始终可信")
    if clock.utc() is None:
        return bad(
            _CLOCK,
            Words("is not synchronised: events go without the time", "未校准：事件不带时间"),
            Words("turn time synchronisation on: timedatectl set-ntp true; then see: timedatectl timesync-status",
                  "请开启时间同步：timedatectl set-ntp true；查看：timedatectl timesync-status"),
        )  # fmt: skip
    return ok(_CLOCK, "is synchronised", "已校准")
