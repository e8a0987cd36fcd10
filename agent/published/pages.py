"""The page of event kinds, in Chinese and English side by side, and that of the standards."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from agent.contract.messages import VERSION
from agent.events import CATALOGUE, RESTORES, Kind, Lane, Severity
from agent.published.facts import Fact
from agent.published.kinds import contact_id, sample, says
from agent.published.standards import Method, told

_LANES: Final = {
    Lane.ALARM: "报警 alarm",
    Lane.FAULT: "故障 fault",
    Lane.LEDGER: "账目 ledger",
    Lane.ACCESS: "通行 access",
    Lane.TELEMETRY: "遥测 telemetry",
    Lane.MEDIA: "图像 media",
}
_SEVERITIES: Final = {
    Severity.CRITICAL: "紧急 critical",
    Severity.MAJOR: "重要 major",
    Severity.MINOR: "一般 minor",
    Severity.INFO: "提示 info",
}
_METHODS: Final = {
    Method.DEVICE: "2 设备报警 device alarm",
    Method.VIDEO: "5 视频报警 video alarm",
    Method.FAULT: "6 设备故障报警 device fault",
    Method.OTHER: "7 其他报警 other",
}


_EVENTS: Final = f"""\
# 事件类型 Event kinds

合同版本 Contract {VERSION}。由程序生成（`make contract`），请勿手工修改。
Generated (`make contract`); do not edit.

- 每个事件是一份 CloudEvents 1.0 JSON 文档；`type` 为 `gatehouse.` 加类型代码。
  Each event is a CloudEvents 1.0 JSON document; its `type` is `gatehouse.` and the code.
- 所有事件的 `data` 都含 `title_zh`、`title_en`；有名称的设施另含 `name`（`zh`、`en`）。
  Every `data` has `title_zh` and `title_en`, and `name` (`zh`, `en`) where the thing has one.
- 标 ○ 的字段不一定出现。 Fields marked ○ are not always there.
- `contactid`：SIA DC-05 代码，E 为发生，R 为恢复。 The code of SIA DC-05, E for an event, R for its restore.
- 静默：只告知中心，现场绝不显示。 Silent: for the centre only, never shown where it happened.
- 未知的类型和字段应忽略，不应报错。 Unknown kinds and fields are to be passed over, not refused.
"""

_STANDARDS: Final = """\
# 与国家标准的对应 Mapping to national standards

仅为便于对接的对应关系，不表示符合这些标准。由程序生成（`make contract`），请勿手工修改。
A mapping that helps integrators, no claim of conformance. Generated; do not edit.

**GB/T 28181-2022**：报警通知的 `AlarmPriority`（1 最高）、`AlarmMethod`、`AlarmType`。标准没有合适取值的不填。
恢复事件在该标准中没有对应的通知。
Fields of its alarm notification. `AlarmType` is left out where the standard has none that fits: type 4 of method 2
(设备高温) is the device's own temperature, not that of a room. The standard has no notification of a restore.

**GB/T 31000-2015**：该标准的「事件类型」是矛盾纠纷的类型，没有设备报警的代码表；最接近的是「隐患类型」。
代码取自他人的转录，使用前请与标准原文核对。
Its event types are those of disputes between people; it has no list for alarms of machines. The nearest is its list of
hidden dangers (隐患类型). We have these codes from a transcription by others, not from the standard's own text: compare
it before use.
"""


def events_page() -> str:
    return "\n".join([_EVENTS, *_overview(), *(line for kind in Kind for line in _section(kind))])


def standards_page() -> str:
    return "\n".join([_STANDARDS, *_told(), ""])


def _overview() -> Iterator[str]:
    yield "| 代码 code | 名称 title | 通道 lane | 级别 severity | Contact ID | 恢复 restored by |"
    yield "|---|---|---|---|---|---|"
    for kind in Kind:
        info = CATALOGUE[kind]
        title = f"{info.title_zh} {info.title_en}" + ("（静默 silent）" if info.silent else "")
        restored = f"`{info.restored_by}`" if info.restored_by else ""
        cells = (f"[`{kind}`](#{_anchor(kind)})", title, _LANES[info.lane], _SEVERITIES[info.severity])
        yield _row(*cells, contact_id(kind) or "", restored)
    yield ""


def _section(kind: Kind) -> Iterator[str]:
    info, facts = CATALOGUE[kind], says(kind)
    yield f"## {kind}"
    yield ""
    yield f"{info.title_zh}。{info.title_en}. {_LANES[info.lane]}，{_SEVERITIES[info.severity]}。"
    if kind in RESTORES:
        yield f"恢复 Restores `{RESTORES[kind]}`。"
    yield ""
    if facts:
        yield "| `data` | 类型 type | 含义 meaning |"
        yield "|---|---|---|"
        for fact in facts:
            yield _row(f"`{fact.name}`{'' if fact.always else ' ○'}", fact.shape.value, _meaning(fact))
        yield ""
    made = sample(kind)
    yield f"`{made.topic}`"
    yield ""
    yield "```json"
    yield json.dumps(made.content(), ensure_ascii=False, indent=2)
    yield "```"
    yield ""


def _meaning(fact: Fact) -> str:
    words = f"{fact.words.zh} {fact.words.en}"
    return f"{words}: {', '.join(f'`{word}`' for word in fact.known)}" if fact.known else words


def _anchor(kind: Kind) -> str:
    """The anchor a Markdown reader makes of the heading: dots go."""
    return kind.replace(".", "")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _told() -> Iterable[str]:
    yield "| 代码 code | 名称 title | AlarmPriority | AlarmMethod | AlarmType | 隐患类型 hidden danger |"
    yield "|---|---|---|---|---|---|"
    for kind in Kind:
        if (words := told(kind)) is not None:
            number = "" if words.type is None else str(words.type)
            title = f"{CATALOGUE[kind].title_zh} {CATALOGUE[kind].title_en}"
            yield _row(f"`{kind}`", title, str(words.priority), _METHODS[words.method], number, words.danger.value)
