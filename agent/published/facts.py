"""What an event of each kind says in its `data`, beside titles and name.

A kind that says something has a line in `SAYS`; one that is not there says nothing. The tests hold every event that a
rule or an agent makes to this table, so a new fact needs its line here first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from agent.contract import commands
from agent.contract.commands import Refusal, Verdict
from agent.credentials import changes
from agent.credentials.verdict import Reason
from agent.events import JsonValue, Kind, Lane
from agent.journal import Origin
from agent.observations import Label
from agent.rules.doors.access import Denial
from agent.rules.step import Group, Verb
from agent.settings import Way
from agent.uplink import TroubleCode
from agent.words import Words


class Shape(StrEnum):
    """How a fact stands in JSON."""

    TEXT = "string"
    WHOLE = "integer"
    NUMBER = "number"
    TRUTH = "boolean"
    VALUE = "value"  # of a sensor: truth or number
    DIGEST = "digest"  # 64 hexadecimal digits
    TIME = "time"  # RFC 3339, UTC
    TAILS = "tails"  # lane -> {last, confirmed, centre, entered}


@dataclass(frozen=True, slots=True)
class Fact:
    """`known` are the words that a text is one of in this version; a later one may add others."""

    name: str
    shape: Shape
    words: Words
    example: JsonValue
    known: tuple[str, ...] = ()
    always: bool = True


def some(fact: Fact) -> Fact:
    """The same fact where it is not always there."""
    return replace(fact, always=False)


def _known(*enums: Iterable[StrEnum]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.value for enum in enums for value in enum))


def _text(name: str, en: str, zh: str, example: str, known: tuple[str, ...] = ()) -> Fact:
    return Fact(name, Shape.TEXT, Words(en, zh), example, known)


def _seconds(name: str, en: str, zh: str, example: float) -> Fact:
    return Fact(name, Shape.NUMBER, Words(en, zh), example)


def _count(name: str, en: str, zh: str, example: int) -> Fact:
    return Fact(name, Shape.WHOLE, Words(en, zh), example)


READER = _text("reader", "id of the reader", "读卡器标识", "reader-north")
CARD = _text("card", "opaque reference of the card, never its number", "卡片的匿名引用，不是卡号", "c-5f0e9a31")
BITS = _count("bits", "bits the reader delivered", "读卡器送出的位数", 34)
SHOWN = (CARD, BITS, READER)
OPEN_S = _seconds("open_s", "open for so many seconds", "已打开的秒数", 31.2)
POINT = _text("point", "device/point it was read from", "来源：设备/点位", "gpio/fire-panel")
VALUE = Fact("value", Shape.VALUE, Words("what was read, null when unknown", "读到的值，未知时为 null"), True)
ABOVE = Fact("above", Shape.NUMBER, Words("upper limit", "上限"), 60.0, always=False)
BELOW = Fact("below", Shape.NUMBER, Words("lower limit", "下限"), 2.0, always=False)
SENSED = (POINT, VALUE, ABOVE, BELOW)
BY_WHOM = _text("origin", "who gave the order", "下令者", "page:guard")
VERB = _text("verb", "what was ordered", "指令", Verb.UNLOCK, _known(Verb))
REASON = _text("reason", "why, in words", "原因（文字）", "no answer from /dev/ttyAMA0")
HINT = _text("hint", "the cure, in words", "处置建议（文字）", "check cable and power")
CAMERA = _text("camera", "id of the camera", "摄像机标识", "camera-west")
LANE = _text("lane", "lane of the entries", "所属通道", Lane.ACCESS, _known(Lane))
EPOCH = _text("epoch", "epoch of the journal", "事件日志纪元", "6f1c2f0e-6c5b-4a51-8a34-111111111111")
DIGEST = Fact("digest", Shape.DIGEST, Words("SHA-256 in hex", "SHA-256（十六进制）"), "0123456789abcdef" * 4)
REFUSED = _count("refused", "events given up since the start", "启动以来放弃的事件数", 0)
COUNT = _count("count", "how many", "数量", 3)
SCHEDULE = _text("schedule", "id of the schedule", "时间表标识", "office-hours")
DENIED = _text("reason", "why it was denied", "拒绝原因", Reason.UNKNOWN_CARD, _known(Reason, Denial))
PARTNER = _text("partner", "the interlocked door that is open", "未关的互锁门", "south-gate")
FIRST = _count("from", "first sequence number", "起始序号", 3)
LAST = _count("to", "last sequence number", "结束序号", 5)
VERSION = _text("version", "version of the agent", "程序版本", "0.1.0")
CONFIGURATION = replace(
    DIGEST, name="configuration", words=Words("SHA-256 of the settings in force", "当前配置的 SHA-256")
)
SNAPSHOT = _text("snapshot", "name of a picture, published at media/{snapshot}", "图片名称，发布于 media/{snapshot}",
                 "5f0e9a31c07b44d2")  # fmt: skip
_PICTURE = (
    SNAPSHOT,
    replace(DIGEST, name="sha256", words=Words("names the sealed picture on the gateway", "网关上加密图片的名称")),
    replace(
        DIGEST, name="jpeg_sha256", words=Words("SHA-256 of the JPEG at media/{snapshot}", "所发布 JPEG 的 SHA-256")
    ),
    _count("size", "bytes of the JPEG", "JPEG 字节数", 41_250),
    _seconds("after_s", "taken so many seconds after the alarm", "报警后多少秒抓拍", 0.12),
    _count("faces", "faces that were found and blurred", "已模糊的人脸数", 1),
    _count("persons", "persons that were found", "检测到的人数", 2),
    Fact(
        "whole",
        Shape.TRUTH,
        Words("persons were blurred whole, for want of the model for faces", "缺少人脸模型，整个人体已模糊"),
        False,
    ),
    some(_text("reason", "why it was asked for", "抓拍原因", "patrol asks")),
)

BY_KEY = _text("by", "name and key id of the signer, or unknown", "签名者名称与密钥标识", "值班台 (kPrK…)")
ORDER_ID = _text("id", "id of the order", "指令编号", "7d1f0e9a-0000-4000-8000-555555555555")
ORDERED = _text("verb", "what was ordered", "指令", commands.Verb.UNLOCK, _known(commands.Verb))
OUTCOME = _text("outcome", "what became of it", "结果", Verdict.DONE, _known(Verdict))
WHY_NOT = _text("reason", "why not", "原因", Refusal.STALE_CHALLENGE, _known(Refusal, Denial, changes.Refusal))
SENTENCE = _text("message", "the same in words", "说明", "the challenge is not one of the last two")
OTHERS = _count("others", "refusals before it that were only counted", "此前仅计数的拒绝次数", 12)

_TROUBLE = (
    _text("code", "what happened", "情形代码", TroubleCode.REJECTED, _known(TroubleCode)),
    REASON,
    some(LANE),
    some(_count("sequence", "first sequence number it is about", "首个相关序号", 12)),
    some(COUNT),
    some(HINT),
)
_LIMITED = (
    Fact("value", Shape.NUMBER, Words("degrees Celsius, or percent in use", "摄氏度，或已用百分比"), 91.5),
    Fact("limit", Shape.NUMBER, Words("above it is an event", "上限"), 90.0),
)
_IN_ZONE = (
    CAMERA,
    replace(COUNT, words=Words("how many are there now", "当前数量"), example=1),
    _seconds("since_s", "there for so many seconds", "已停留的秒数", 4.2),
    Fact("score", Shape.NUMBER, Words("the detector's best score, 0 to 1", "检测得分，0 至 1"), 0.87),
)
_STAYS = (CAMERA, COUNT, _seconds("since_s", "there for so many seconds", "已停留的秒数", 61.5))
_AT_DOOR = (CAMERA, _text("line", "id of the camera's line", "画面中线的标识", "gate-line"))
_VERDICT = (
    CAMERA,
    _seconds("after_s", "seconds after the alarm", "报警后的秒数", 1.4),
    some(_text("zone", "zone in which somebody must be seen", "复核区域", "fence-foot")),
)
_LEFT_ZONE = (CAMERA, _seconds("stayed_s", "was there for so many seconds", "停留的秒数", 42.5))

SAYS: Final[Mapping[Kind, tuple[Fact, ...]]] = {
    Kind.DOOR_FORCED_RESTORED: (OPEN_S,),
    Kind.DOOR_HELD: (OPEN_S,),
    Kind.DOOR_HELD_RESTORED: (OPEN_S,),
    Kind.DOOR_HELD_SOON: (OPEN_S,),
    Kind.DOOR_CLOSED: (OPEN_S,),
    Kind.DURESS: SHOWN,
    Kind.DURESS_ENTRY: (READER,),
    Kind.FIRE_RELEASE: (POINT,),
    Kind.FIRE_RELEASE_RESTORED: (BY_WHOM,),
    Kind.LOCKDOWN: (BY_WHOM,),
    Kind.LOCKDOWN_RESTORED: (BY_WHOM,),
    Kind.READER_LOCKED_OUT: (
        READER,
        _count("tries", "wrong PINs in a row", "连续错误次数", 5),
        _seconds("for_s", "locked for so many seconds", "锁定秒数", 60.0),
    ),
    Kind.READER_LOCKED_OUT_RESTORED: (READER,),
    **dict.fromkeys(
        (
            Kind.READER_DEFAULT_KEY, Kind.READER_DEFAULT_KEY_RESTORED,
            Kind.READER_IDENTITY, Kind.READER_IDENTITY_RESTORED,
            Kind.READER_AUTHENTICATION, Kind.READER_AUTHENTICATION_RESTORED,
            Kind.READER_POWER, Kind.READER_POWER_RESTORED,
        ),
        (READER,),
    ),
    # From the reader itself, or from a sensor on a reader's tamper contact.
    **dict.fromkeys(
        (Kind.READER_TAMPER, Kind.READER_TAMPER_RESTORED), (some(READER), some(POINT), some(VALUE), ABOVE, BELOW)
    ),
    **dict.fromkeys(
        (
            Kind.TAMPER, Kind.TAMPER_RESTORED, Kind.SMOKE, Kind.SMOKE_RESTORED, Kind.FIRE, Kind.FIRE_RESTORED,
            Kind.WATER, Kind.WATER_RESTORED, Kind.TEMPERATURE_HIGH, Kind.TEMPERATURE_HIGH_RESTORED,
            Kind.TEMPERATURE_LOW, Kind.TEMPERATURE_LOW_RESTORED, Kind.PERIMETER, Kind.PERIMETER_RESTORED,
            Kind.POWER_LOST, Kind.POWER_RESTORED,
        ),
        SENSED,
    ),
    **dict.fromkeys((Kind.ZONE_PERSON, Kind.ZONE_VEHICLE, Kind.ZONE_ANIMAL), _IN_ZONE),
    **dict.fromkeys(
        (Kind.ZONE_PERSON_RESTORED, Kind.ZONE_VEHICLE_RESTORED, Kind.ZONE_ANIMAL_RESTORED), _LEFT_ZONE
    ),
    **dict.fromkeys((Kind.LOITERING, Kind.FIRE_LANE), _STAYS),
    Kind.CROWD: (
        CAMERA,
        COUNT,
        _count("peak", "most at once so far", "最多人数", 16),
        _count("more_than", "so many are allowed", "允许人数", 12),
    ),
    **dict.fromkeys((Kind.LOITERING_RESTORED, Kind.FIRE_LANE_RESTORED, Kind.CROWD_RESTORED), _LEFT_ZONE),
    Kind.LINE_CROSSED: (
        CAMERA,
        _text("way", "direction", "方向", Way.IN, _known(Way)),
        _text("label", "what crossed", "目标类型", Label.PERSON, _known(Label)),
    ),
    Kind.TAILGATING: (
        *_AT_DOOR,
        _count("granted", "cards granted in this passage", "本次通行的刷卡次数", 1),
        _count("entered", "persons who came in so far", "已进入的人数", 2),
    ),
    Kind.TAILGATING_BLIND: (*_AT_DOOR, REASON),
    Kind.TAILGATING_BLIND_RESTORED: _AT_DOOR,
    Kind.PERIMETER_VERIFIED: (*_VERDICT, replace(COUNT, words=Words("how many were seen", "看到的数量"), example=1)),
    Kind.PERIMETER_NOT_SEEN: _VERDICT,
    Kind.PERIMETER_UNKNOWN: (*_VERDICT, REASON),
    **dict.fromkeys(
        (Kind.CAMERA_COVERED, Kind.CAMERA_DEFOCUSED, Kind.CAMERA_TURNED, Kind.CAMERA_FROZEN),
        (_seconds("since_s", "so for so many seconds", "已持续的秒数", 10.0),),
    ),
    **dict.fromkeys(
        (
            Kind.CAMERA_COVERED_RESTORED, Kind.CAMERA_DEFOCUSED_RESTORED, Kind.CAMERA_TURNED_RESTORED,
            Kind.CAMERA_FROZEN_RESTORED,
        ),
        (_seconds("lasted_s", "lasted for so many seconds", "持续的秒数", 95.0), some(REASON)),
    ),
    Kind.DEVICE_FAULT: (REASON, HINT),
    Kind.RULE_FAULT: (_text("rule", "what the rule is about", "规则类别", Group.DOOR, _known(Group)), REASON),
    Kind.JOURNAL_FAULT: (
        REASON,
        some(HINT),
        some(REFUSED),
        some(_text("set_aside", "name of the damaged file that was kept", "保留的损坏文件名", "journal-1.damaged")),
    ),
    Kind.JOURNAL_RESTORED: (some(EPOCH), some(REFUSED)),
    Kind.CERTIFICATE_FAULT: (replace(_TROUBLE[0], example=TroubleCode.CERTIFICATE), REASON, some(HINT)),
    **dict.fromkeys(
        (
            Kind.GATEWAY_HOT, Kind.GATEWAY_HOT_RESTORED, Kind.DISK_LOW, Kind.DISK_LOW_RESTORED,
            Kind.DISK_WORN, Kind.DISK_WORN_RESTORED, Kind.MEMORY_LOW, Kind.MEMORY_LOW_RESTORED,
        ),
        _LIMITED,
    ),
    Kind.UPLINK_REFUSED: _TROUBLE,
    Kind.RECEIPT_MISMATCH: _TROUBLE,
    Kind.RECEIPT_FORGED: _TROUBLE,
    Kind.EPOCH_STARTED: (
        EPOCH,
        _text("origin", "how the epoch came to be", "新纪元的由来", Origin.RENEWED, _known(Origin)),
        some(_text("set_aside", "name of the damaged file that was kept", "保留的损坏文件名", "journal-1.damaged")),
        some(REASON),
        some(_text("previous", "the epoch before", "上一纪元", "51aa4b52-0000-4000-8000-333333333333")),
        Fact("tails", Shape.TAILS, Words("how each lane of it stood", "上一纪元各通道的末尾情况"),
             {"alarm": {"last": 17, "confirmed": 16, "centre": 18, "entered": 1}}, always=False),
    ),
    Kind.ENTRIES_DROPPED: (EPOCH, LANE, FIRST, LAST, COUNT, REASON, DIGEST),
    Kind.AGENT_STARTED: (VERSION, CONFIGURATION),
    Kind.CREDENTIALS_CHANGED: (
        _count("version", "version of the card list", "名单版本", 12), COUNT, DIGEST,
    ),
    Kind.COMMAND_DONE: (BY_KEY, ORDER_ID, ORDERED, OUTCOME, some(WHY_NOT), some(SENTENCE)),
    Kind.COMMAND_REFUSED: (
        BY_KEY, some(ORDER_ID), some(ORDERED), some(OUTCOME), WHY_NOT, some(SENTENCE), some(OTHERS),
    ),
    Kind.COMMAND_FORGED: (BY_KEY, some(ORDERED), WHY_NOT, SENTENCE, some(OTHERS)),
    Kind.CONFIGURATION_TRIED: (ORDER_ID,),
    Kind.CONFIGURATION_KEPT: (ORDER_ID,),
    Kind.CONFIGURATION_ROLLED_BACK: (ORDER_ID, REASON),
    **dict.fromkeys(
        (Kind.UNACKNOWLEDGED, Kind.UNACKNOWLEDGED_SILENT),
        (
            _text("event", "the alarm: epoch/lane/sequence", "原报警：纪元/通道/序号",
                  "6f1c2f0e-6c5b-4a51-8a34-111111111111/alarm/17"),
            _text("kind", "kind of the alarm", "原报警类型", Kind.DOOR_FORCED, _known(Kind)),
            replace(COUNT, words=Words("how often it was told again", "第几次再次上报"), example=1),
        ),
    ),
    Kind.KEYS_CHANGED: (_count("version", "version of the key set", "密钥集版本", 3), COUNT),
    Kind.CLOCK_OFFSET: (
        Fact("began", Shape.TIME, Words("UTC at which this boot's uptime was zero", "本次启动运行时间为零的 UTC 时刻"),
             "2026-03-01T07:28:09.750Z"),
        some(_seconds("step_s", "the clock was set by so many seconds", "时钟被拨动的秒数", -3600.0)),
    ),
    Kind.AUDIT_ANCHORED: (
        COUNT, replace(DIGEST, name="chain", words=Words("the audit record's chain at its head", "审计记录末端的链值")),
    ),
    Kind.AUDIT_DAMAGED: (REASON, HINT),
    Kind.SNAPSHOT_TAKEN: _PICTURE,
    Kind.SNAPSHOT_FAILED: (SNAPSHOT, REASON, HINT),
    Kind.ACCESS_GRANTED: (
        _text("by", "what opened the door", "开门方式", "card", ("card", "card+pin", "order")),
        some(CARD), some(BITS), some(READER), some(VERB), some(BY_WHOM),
    ),
    Kind.ACCESS_DENIED: (DENIED, *SHOWN, some(PARTNER)),
    Kind.ACCESS_ENDED: (
        _text("reason", "why it ended", "结束原因", Denial.INTERLOCK, (Denial.INTERLOCK.value,)),
        PARTNER,
        Fact("kept", Shape.TRUTH, Words("was to stay unlocked until an order locks it", "此前按指令保持开锁"), True),
    ),
    Kind.FREE_ACCESS: (SCHEDULE,),
    Kind.FREE_ACCESS_ENDED: (
        SCHEDULE,
        _text("reason", "why it ended", "结束原因", "schedule", ("schedule", "order", "no_clock", *_known(Denial))),
    ),
    Kind.ORDER_DONE: (VERB, BY_WHOM),
    Kind.ORDER_REFUSED: (DENIED, VERB, BY_WHOM),
    Kind.EGRESS: (Fact("unlocks", Shape.TRUTH, Words("the request unlocks the door", "出门按钮可开锁"), True),),
}  # fmt: skip
"""`Kind.READINGS` is a batch, with a model of its own: `agent.published.kinds`."""
