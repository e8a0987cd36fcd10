"""What `gatehouse check` prints: every problem and weakness, or what the compound consists of."""

from collections.abc import Sequence
from pathlib import Path

from agent.settings.inventory import points, readers
from agent.settings.load import inspect
from agent.settings.models import Settings
from agent.settings.problems import Problem
from agent.words import Lang, Words


def check_report(path: Path, lang: Lang) -> tuple[str, int]:
    """The whole text, and the exit code: 0 when the settings can be run, 2 when they cannot."""
    found = inspect(path)
    lines = [Words(f"Gatehouse settings: {path}", f"Gatehouse 配置文件：{path}").to(lang)]
    lines += _section(_count(len(found.problems), "problem", "problems", "个问题"), found.problems, "✗", lang)
    weak = _count(len(found.weaknesses), "weakness, allowed", "weaknesses, allowed", "处薄弱环节（允许）")
    lines += _section(weak, found.weaknesses, "!", lang)
    if found.settings is None:
        end = Words(
            "These settings cannot be run. Correct the problems and check again.",
            "配置无法运行。请更正以上问题后重新检查。",
        )
        return "\n".join([*lines, "", f"✗ {end.to(lang)}", ""]), 2
    lines += ["", *_summary(found.settings, lang)]
    end = Words("These settings can be run.", "配置正确，可以运行。")
    return "\n".join([*lines, "", f"✓ {end.to(lang)}", ""]), 0


def _section(title: Words, entries: Sequence[Problem], mark: str, lang: Lang) -> list[str]:
    if not entries:
        return []
    lines = ["", title.to(lang)]
    for entry in entries:
        place = Words(f"line {entry.line}: ", f"第 {entry.line} 行：").to(lang) if entry.line else ""
        lines += [f"  {mark} {place}{entry.said(lang)}", f"      → {entry.cure.to(lang)}"]
    return lines


def _summary(settings: Settings, lang: Lang) -> list[str]:
    name = settings.gateway.name
    cameras, zones = settings.cameras, sum(len(camera.zones) for camera in settings.cameras)
    counts = [
        _count(len(settings.doors), "door", "doors", "扇门"),
        _count(len(readers(settings)), "reader", "readers", "个读卡器"),
        _count(len(points(settings)), "point", "points", "个点"),
        _count(len(settings.sensors), "sensor", "sensors", "个传感器"),
        _count(len(cameras), "camera", "cameras", "个摄像机"),
        _count(zones, "zone", "zones", "个区域"),
    ]
    joined = Words(", ", "，").to(lang).join(count.to(lang) for count in counts)
    brokers = ", ".join((settings.centre.broker, *settings.centre.fallback))
    centre = Words(f"Centre: {brokers}", f"综治中心：{brokers}")
    path = settings.gateway.path
    place = Words(f"Path, and name in its certificate: {path}", f"网关路径，即证书 CN：{path}")
    head = f"  {name.zh} / {name.en} ({settings.gateway.id})"
    return [head, f"  {joined}", f"  {centre.to(lang)}", f"  {place.to(lang)}"]


def _count(number: int, one: str, many: str, zh: str) -> Words:
    return Words(f"{number} {one if number == 1 else many}", f"{number} {zh}")
