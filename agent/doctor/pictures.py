"""What the rules on cameras' pictures say, in plain words."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.doctor.chinese import both
from agent.doctor.findings import Finding, bad, called, ok, warn
from agent.words import Words

_LOOK = Words("look after it on site", "请查看现场")
_VERDICTS = {"alone": "一人一卡", "tailgating": "有人尾随", "unknown": "无法判断", "not judged": "未作判断"}
_FLAWS = {"covered": "被遮挡", "defocused": "失焦", "turned": "被转动", "frozen": "画面冻结"}


def findings(snapshot: Mapping[str, Any]) -> Iterator[Finding]:
    """Alarms that stand, counts of lines, the last passage of each door, and which camera cannot tell."""
    names = snapshot["names"]
    for name, zone in sorted(snapshot["zones"].items()):
        yield from _zone(called(name, names, Words("zone ", "区域 ")), zone)
    for name, line in sorted(snapshot["lines"].items()):
        if not line.get("failed"):
            area = called(name, names, Words("line ", "越线统计 "))
            yield ok(area, f"{line['in']} in, {line['out']} out", f"进 {line['in']}，出 {line['out']}")
    for name, passage in sorted(snapshot["passages"].items()):
        yield from _passage(called(name, names, Words("tailgating at ", "尾随检测 ")), passage)
    for name, verdict in sorted(snapshot["verdicts"].items()):
        if verdict.get("blind"):
            yield _blind(called(name, names, Words("verification of ", "图像复核 ")), verdict["blind"])
    for name, view in sorted(snapshot["views"].items()):
        for flaw in view.get("raised", ()):
            yield bad(called(name, names, Words("", "")), Words(f"camera {flaw}", f"摄像机{_FLAWS[flaw]}"), _LOOK)


def _zone(area: Words, zone: Mapping[str, Any]) -> Iterator[Finding]:
    if raised := zone.get("raised"):
        told = ", ".join(f"{kind} ({count})" for kind, count in raised.items())
        yield warn(area, Words(f"in alarm: {told}", f"报警：{told}"), _LOOK)
    elif zone.get("blind"):
        yield _blind(area, zone["blind"])


def _passage(area: Words, passage: Mapping[str, Any]) -> Iterator[Finding]:
    if passage.get("blind"):
        yield _blind(area, passage["blind"])
    elif last := passage.get("last"):
        yield ok(area, f"last passage: {last}", f"上次通行：{_VERDICTS[last]}")


def _blind(area: Words, reason: str) -> Finding:
    return warn(
        area,
        Words(f"no verdict: {reason}", f"无法判断：{both(reason).zh}"),
        Words("see to the camera; what was in alarm is held", "请检查摄像机；已有报警保持不变"),
    )
