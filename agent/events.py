"""The closed list of event kinds, and the event itself.

An event is a decision about readings that somebody must know. Each kind has its lane, severity, Chinese and
English title, the kind that restores it, and the alarm industry's Contact ID code (SIA DC-05-1999.09) where one
exists; a restore carries the code of what it restores with qualifier 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | Mapping[str, JsonValue] | None"


class Lane(StrEnum):
    """Ordered streams to the centre. `alarm` and `fault` go strictly first, the others share."""

    __hash__ = str.__hash__  # Enum's own is a Python function, and a lane is looked up many times an event

    ALARM = "alarm"
    FAULT = "fault"
    LEDGER = "ledger"
    ACCESS = "access"
    TELEMETRY = "telemetry"
    MEDIA = "media"


class Severity(StrEnum):
    CRITICAL = "critical"  # life or intrusion: now
    MAJOR = "major"  # today
    MINOR = "minor"  # next visit
    INFO = "info"


class Kind(StrEnum):
    __hash__ = str.__hash__

    DOOR_FORCED = "door.forced"
    DOOR_FORCED_RESTORED = "door.forced.restored"
    DOOR_HELD = "door.held"
    DOOR_HELD_RESTORED = "door.held.restored"
    DOOR_HELD_SOON = "door.held.soon"
    DURESS = "duress"
    DURESS_ENTRY = "duress.entry"
    FIRE_RELEASE = "door.fire"
    FIRE_RELEASE_RESTORED = "door.fire.restored"
    LOCKDOWN = "door.lockdown"
    LOCKDOWN_RESTORED = "door.lockdown.restored"
    READER_LOCKED_OUT = "reader.locked-out"
    READER_LOCKED_OUT_RESTORED = "reader.locked-out.restored"
    READER_DEFAULT_KEY = "reader.default-key"
    READER_DEFAULT_KEY_RESTORED = "reader.default-key.restored"
    READER_IDENTITY = "reader.identity"
    READER_IDENTITY_RESTORED = "reader.identity.restored"
    READER_AUTHENTICATION = "reader.authentication"
    READER_AUTHENTICATION_RESTORED = "reader.authentication.restored"
    READER_POWER = "reader.power"
    READER_POWER_RESTORED = "reader.power.restored"
    READER_TAMPER = "reader.tamper"
    READER_TAMPER_RESTORED = "reader.tamper.restored"
    TAMPER = "tamper"
    TAMPER_RESTORED = "tamper.restored"
    SMOKE = "smoke"
    SMOKE_RESTORED = "smoke.restored"
    FIRE = "fire"
    FIRE_RESTORED = "fire.restored"
    WATER = "water"
    WATER_RESTORED = "water.restored"
    TEMPERATURE_HIGH = "temperature.high"
    TEMPERATURE_HIGH_RESTORED = "temperature.high.restored"
    TEMPERATURE_LOW = "temperature.low"
    TEMPERATURE_LOW_RESTORED = "temperature.low.restored"
    PERIMETER = "perimeter"
    PERIMETER_RESTORED = "perimeter.restored"
    ZONE_PERSON = "zone.person"
    ZONE_PERSON_RESTORED = "zone.person.restored"
    ZONE_VEHICLE = "zone.vehicle"
    ZONE_VEHICLE_RESTORED = "zone.vehicle.restored"
    ZONE_ANIMAL = "zone.animal"
    ZONE_ANIMAL_RESTORED = "zone.animal.restored"
    LOITERING = "zone.loitering"
    LOITERING_RESTORED = "zone.loitering.restored"
    FIRE_LANE = "zone.fire-lane"
    FIRE_LANE_RESTORED = "zone.fire-lane.restored"
    CROWD = "zone.crowd"
    CROWD_RESTORED = "zone.crowd.restored"
    LINE_CROSSED = "line.crossed"
    TAILGATING = "door.tailgating"
    TAILGATING_BLIND = "door.tailgating.blind"
    TAILGATING_BLIND_RESTORED = "door.tailgating.blind.restored"
    PERIMETER_VERIFIED = "perimeter.verified"
    PERIMETER_NOT_SEEN = "perimeter.not-seen"
    PERIMETER_UNKNOWN = "perimeter.unknown"
    CAMERA_COVERED = "camera.covered"
    CAMERA_COVERED_RESTORED = "camera.covered.restored"
    CAMERA_DEFOCUSED = "camera.defocused"
    CAMERA_DEFOCUSED_RESTORED = "camera.defocused.restored"
    CAMERA_TURNED = "camera.turned"
    CAMERA_TURNED_RESTORED = "camera.turned.restored"
    CAMERA_FROZEN = "camera.frozen"
    CAMERA_FROZEN_RESTORED = "camera.frozen.restored"
    DEVICE_FAULT = "device.fault"
    DEVICE_RESTORED = "device.restored"
    RULE_FAULT = "rule.fault"
    POWER_LOST = "power.lost"
    POWER_RESTORED = "power.restored"
    JOURNAL_FAULT = "journal.fault"
    JOURNAL_RESTORED = "journal.restored"
    GATEWAY_HOT = "gateway.hot"
    GATEWAY_HOT_RESTORED = "gateway.hot.restored"
    GATEWAY_UNDERVOLTAGE = "gateway.undervoltage"
    GATEWAY_UNDERVOLTAGE_RESTORED = "gateway.undervoltage.restored"
    GATEWAY_THROTTLED = "gateway.throttled"
    GATEWAY_THROTTLED_RESTORED = "gateway.throttled.restored"
    DISK_LOW = "disk.low"
    DISK_LOW_RESTORED = "disk.low.restored"
    DISK_WORN = "disk.worn"
    DISK_WORN_RESTORED = "disk.worn.restored"
    MEMORY_LOW = "memory.low"
    MEMORY_LOW_RESTORED = "memory.low.restored"
    UPLINK_REFUSED = "uplink.refused"
    CERTIFICATE_FAULT = "certificate.fault"
    CERTIFICATE_RESTORED = "certificate.restored"
    RECEIPT_MISMATCH = "receipt.mismatch"
    RECEIPT_FORGED = "receipt.forged"
    EPOCH_STARTED = "epoch.started"
    ENTRIES_DROPPED = "entries.dropped"
    AGENT_STARTED = "agent.started"
    AGENT_STOPPED = "agent.stopped"
    CREDENTIALS_CHANGED = "credentials.changed"
    COMMAND_DONE = "command.done"
    COMMAND_REFUSED = "command.refused"
    COMMAND_FORGED = "command.forged"
    UNACKNOWLEDGED = "alarm.unacknowledged"
    UNACKNOWLEDGED_SILENT = "alarm.unacknowledged.silent"
    KEYS_CHANGED = "keys.changed"
    CONFIGURATION_TRIED = "configuration.tried"
    CONFIGURATION_KEPT = "configuration.kept"
    CONFIGURATION_ROLLED_BACK = "configuration.rolled-back"
    CLOCK_OFFSET = "clock.offset"
    AUDIT_ANCHORED = "audit.anchored"
    AUDIT_DAMAGED = "audit.damaged"
    ACCESS_GRANTED = "access.granted"
    ACCESS_DENIED = "access.denied"
    ACCESS_ENDED = "access.ended"
    FREE_ACCESS = "door.free"
    FREE_ACCESS_ENDED = "door.free.ended"
    ORDER_DONE = "order.done"
    ORDER_REFUSED = "order.refused"
    EGRESS = "door.egress"
    DOOR_OPENED = "door.opened"
    DOOR_CLOSED = "door.closed"
    SNAPSHOT_TAKEN = "snapshot.taken"
    SNAPSHOT_FAILED = "snapshot.failed"
    READINGS = "readings"


@dataclass(frozen=True, slots=True)
class KindInfo:
    lane: Lane
    severity: Severity
    title_en: str
    title_zh: str
    contact_id: int | None = None
    restored_by: Kind | None = None
    silent: bool = False
    """For the centre only: never shown, sounded or logged where it happened."""


def _pair(
    raised: Kind, restored: Kind, lane: Lane, severity: Severity, en: str, zh: str, contact_id: int | None
) -> dict[Kind, KindInfo]:
    return {
        raised: KindInfo(lane, severity, en, zh, contact_id, restored),
        restored: KindInfo(lane, Severity.INFO, f"{en}: restored", f"{zh}恢复", contact_id),
    }


CATALOGUE: Mapping[Kind, KindInfo] = {
    **_pair(Kind.DOOR_FORCED, Kind.DOOR_FORCED_RESTORED, Lane.ALARM, Severity.CRITICAL,
            "Door forced", "门被强行打开", 423),
    **_pair(Kind.DOOR_HELD, Kind.DOOR_HELD_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Door held open", "门超时未关", 426),
    **_pair(Kind.FIRE_RELEASE, Kind.FIRE_RELEASE_RESTORED, Lane.ALARM, Severity.CRITICAL,
            "Door released by the fire alarm", "消防联动开门", 110),
    **_pair(Kind.LOCKDOWN, Kind.LOCKDOWN_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Door in lockdown", "门禁紧急封锁", 431),
    **_pair(Kind.READER_LOCKED_OUT, Kind.READER_LOCKED_OUT_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Reader locked after wrong PINs", "密码错误次数过多，读卡器锁定", 461),
    **_pair(Kind.READER_DEFAULT_KEY, Kind.READER_DEFAULT_KEY_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Reader uses the default key", "读卡器使用默认密钥", None),
    **_pair(Kind.READER_IDENTITY, Kind.READER_IDENTITY_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Reader is not the one installed", "读卡器已被更换", None),
    **_pair(Kind.READER_AUTHENTICATION, Kind.READER_AUTHENTICATION_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Reader fails to authenticate", "读卡器认证反复失败", None),
    **_pair(Kind.READER_POWER, Kind.READER_POWER_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Reader power trouble", "读卡器供电异常", 337),
    **_pair(Kind.READER_TAMPER, Kind.READER_TAMPER_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Reader tampered with", "读卡器防拆报警", 145),
    **_pair(Kind.TAMPER, Kind.TAMPER_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Tampered with", "防拆报警", 137),
    **_pair(Kind.SMOKE, Kind.SMOKE_RESTORED, Lane.ALARM, Severity.CRITICAL,
            "Smoke", "烟雾报警", 111),
    **_pair(Kind.FIRE, Kind.FIRE_RESTORED, Lane.ALARM, Severity.CRITICAL,
            "Fire", "火灾报警", 110),
    **_pair(Kind.WATER, Kind.WATER_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Water", "水浸报警", 154),
    **_pair(Kind.TEMPERATURE_HIGH, Kind.TEMPERATURE_HIGH_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Temperature too high", "温度过高", 158),
    **_pair(Kind.TEMPERATURE_LOW, Kind.TEMPERATURE_LOW_RESTORED, Lane.ALARM, Severity.MINOR,
            "Temperature too low", "温度过低", 159),
    **_pair(Kind.PERIMETER, Kind.PERIMETER_RESTORED, Lane.ALARM, Severity.CRITICAL,
            "Perimeter crossed", "周界报警", 131),
    **_pair(Kind.ZONE_PERSON, Kind.ZONE_PERSON_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Person in zone", "区域内有人", None),
    **_pair(Kind.ZONE_VEHICLE, Kind.ZONE_VEHICLE_RESTORED, Lane.ALARM, Severity.MINOR,
            "Vehicle in zone", "区域内有车辆", None),
    **_pair(Kind.ZONE_ANIMAL, Kind.ZONE_ANIMAL_RESTORED, Lane.ALARM, Severity.MINOR,
            "Animal in zone", "区域内有动物", None),
    **_pair(Kind.LOITERING, Kind.LOITERING_RESTORED, Lane.ALARM, Severity.MINOR,
            "Loitering", "人员徘徊", None),
    **_pair(Kind.FIRE_LANE, Kind.FIRE_LANE_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Fire lane blocked by a vehicle", "消防通道被占用", None),
    **_pair(Kind.CROWD, Kind.CROWD_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Crowd", "人员聚集", None),
    Kind.LINE_CROSSED: KindInfo(Lane.ALARM, Severity.MAJOR, "Line crossed", "越线报警"),
    Kind.TAILGATING: KindInfo(Lane.ALARM, Severity.MAJOR, "Tailgating", "尾随进入"),
    **_pair(Kind.TAILGATING_BLIND, Kind.TAILGATING_BLIND_RESTORED, Lane.FAULT, Severity.MINOR,
            "Passages not counted by the camera", "摄像机无法统计通行人数", None),
    Kind.PERIMETER_VERIFIED: KindInfo(
        Lane.ALARM, Severity.CRITICAL, "Perimeter alarm verified by picture", "周界报警经图像复核属实", 139
    ),
    Kind.PERIMETER_NOT_SEEN: KindInfo(
        Lane.ALARM, Severity.MINOR, "Perimeter alarm, nobody in the picture", "周界报警复核，画面中未见人员"
    ),
    Kind.PERIMETER_UNKNOWN: KindInfo(
        Lane.ALARM, Severity.MAJOR, "Perimeter alarm, no verdict by picture", "周界报警无法图像复核"
    ),
    **_pair(Kind.CAMERA_COVERED, Kind.CAMERA_COVERED_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Camera covered", "摄像机被遮挡", 144),
    **_pair(Kind.CAMERA_DEFOCUSED, Kind.CAMERA_DEFOCUSED_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Camera out of focus", "摄像机失焦", 144),
    **_pair(Kind.CAMERA_TURNED, Kind.CAMERA_TURNED_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Camera turned away", "摄像机被转动", 144),
    **_pair(Kind.CAMERA_FROZEN, Kind.CAMERA_FROZEN_RESTORED, Lane.ALARM, Severity.MAJOR,
            "Camera picture frozen", "摄像机画面冻结", 144),
    **_pair(Kind.DEVICE_FAULT, Kind.DEVICE_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Device fault", "设备故障", 330),
    **_pair(Kind.POWER_LOST, Kind.POWER_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Mains power lost", "市电中断", 301),
    **_pair(Kind.JOURNAL_FAULT, Kind.JOURNAL_RESTORED, Lane.FAULT, Severity.CRITICAL,
            "Event storage fault", "事件存储故障", None),
    **_pair(Kind.CERTIFICATE_FAULT, Kind.CERTIFICATE_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Gateway certificate needs attention", "网关证书需处理", None),
    **_pair(Kind.GATEWAY_HOT, Kind.GATEWAY_HOT_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Gateway too hot", "网关温度过高", None),
    **_pair(Kind.GATEWAY_UNDERVOLTAGE, Kind.GATEWAY_UNDERVOLTAGE_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Gateway supply voltage too low", "网关供电电压不足", None),
    **_pair(Kind.GATEWAY_THROTTLED, Kind.GATEWAY_THROTTLED_RESTORED, Lane.FAULT, Severity.MINOR,
            "Gateway slowed down", "网关已降频", None),
    **_pair(Kind.DISK_LOW, Kind.DISK_LOW_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Disk nearly full", "磁盘空间不足", None),
    **_pair(Kind.DISK_WORN, Kind.DISK_WORN_RESTORED, Lane.FAULT, Severity.MAJOR,
            "Storage medium worn out", "存储介质接近寿命终点", None),
    **_pair(Kind.MEMORY_LOW, Kind.MEMORY_LOW_RESTORED, Lane.FAULT, Severity.MINOR,
            "Memory nearly used up", "内存不足", None),
    Kind.DURESS: KindInfo(Lane.ALARM, Severity.CRITICAL, "Duress", "胁迫报警", 121, silent=True),
    Kind.DURESS_ENTRY: KindInfo(
        Lane.ALARM, Severity.CRITICAL, "Door opened under duress", "胁迫开门", 124, silent=True
    ),
    Kind.RULE_FAULT: KindInfo(Lane.FAULT, Severity.CRITICAL, "Rule failed, needs attention", "规则异常，需检修"),
    Kind.UPLINK_REFUSED: KindInfo(Lane.FAULT, Severity.MAJOR, "Refused by the centre or broker", "上报被拒绝"),
    Kind.RECEIPT_MISMATCH: KindInfo(
        Lane.FAULT, Severity.CRITICAL, "Receipt does not fit the journal", "回执与事件日志不符"
    ),
    Kind.RECEIPT_FORGED: KindInfo(Lane.FAULT, Severity.CRITICAL, "Receipt that nobody vouches for", "来源不可信的回执"),
    Kind.EPOCH_STARTED: KindInfo(Lane.LEDGER, Severity.INFO, "Journal begun", "事件日志新纪元"),
    Kind.ENTRIES_DROPPED: KindInfo(Lane.LEDGER, Severity.MAJOR, "Entries dropped for room", "空间不足，事件被丢弃"),
    Kind.AGENT_STARTED: KindInfo(Lane.LEDGER, Severity.INFO, "Gateway started", "网关启动"),
    Kind.AGENT_STOPPED: KindInfo(Lane.LEDGER, Severity.INFO, "Gateway stopped", "网关停止"),
    Kind.CREDENTIALS_CHANGED: KindInfo(Lane.LEDGER, Severity.INFO, "Card list changed", "通行名单已更新"),
    Kind.COMMAND_DONE: KindInfo(Lane.LEDGER, Severity.INFO, "Command of the centre ended", "中心指令执行结果"),
    Kind.COMMAND_REFUSED: KindInfo(Lane.LEDGER, Severity.MINOR, "Command of the centre refused", "中心指令被拒绝"),
    Kind.COMMAND_FORGED: KindInfo(
        Lane.FAULT, Severity.CRITICAL, "Command that nobody vouches for", "来源不可信的指令"
    ),
    Kind.UNACKNOWLEDGED: KindInfo(
        Lane.ALARM, Severity.MAJOR, "Alarm that nobody has acknowledged", "报警无人确认，再次上报"
    ),
    Kind.UNACKNOWLEDGED_SILENT: KindInfo(
        Lane.ALARM, Severity.CRITICAL, "Silent alarm not acknowledged", "静默报警无人确认，再次上报", silent=True
    ),
    Kind.KEYS_CHANGED: KindInfo(Lane.LEDGER, Severity.INFO, "Keys of the centre changed", "中心密钥已更新"),
    Kind.CONFIGURATION_TRIED: KindInfo(Lane.LEDGER, Severity.INFO, "Configuration on trial", "新配置试用中"),
    Kind.CONFIGURATION_KEPT: KindInfo(Lane.LEDGER, Severity.INFO, "Configuration kept", "新配置已生效"),
    Kind.CONFIGURATION_ROLLED_BACK: KindInfo(
        Lane.FAULT, Severity.MAJOR, "Configuration given up", "新配置未通过，已回退"
    ),
    Kind.CLOCK_OFFSET: KindInfo(Lane.LEDGER, Severity.INFO, "Clock set", "时钟校准"),
    Kind.AUDIT_ANCHORED: KindInfo(Lane.LEDGER, Severity.INFO, "Head of the audit record", "审计记录校验值"),
    Kind.AUDIT_DAMAGED: KindInfo(
        Lane.FAULT, Severity.CRITICAL, "Audit record damaged or changed", "审计记录受损或被改动"
    ),
    Kind.ACCESS_GRANTED: KindInfo(Lane.ACCESS, Severity.INFO, "Access granted", "准许通行", 422),
    Kind.ACCESS_DENIED: KindInfo(Lane.ACCESS, Severity.MINOR, "Access denied", "拒绝通行", 421),
    Kind.ACCESS_ENDED: KindInfo(Lane.ACCESS, Severity.INFO, "Access ended early", "通行提前结束"),
    Kind.FREE_ACCESS: KindInfo(
        Lane.ACCESS, Severity.INFO, "Free access", "自由通行", restored_by=Kind.FREE_ACCESS_ENDED
    ),
    Kind.FREE_ACCESS_ENDED: KindInfo(Lane.ACCESS, Severity.INFO, "Free access ended", "自由通行结束"),
    Kind.ORDER_DONE: KindInfo(Lane.ACCESS, Severity.INFO, "Order carried out", "指令已执行"),
    Kind.ORDER_REFUSED: KindInfo(Lane.ACCESS, Severity.MINOR, "Order refused", "指令被拒绝"),
    Kind.DOOR_HELD_SOON: KindInfo(Lane.ACCESS, Severity.MINOR, "Door soon held open", "门即将超时未关"),
    Kind.EGRESS: KindInfo(Lane.ACCESS, Severity.INFO, "Request to exit", "出门按钮", 425),
    Kind.DOOR_OPENED: KindInfo(Lane.ACCESS, Severity.INFO, "Door opened", "门打开"),
    Kind.DOOR_CLOSED: KindInfo(Lane.ACCESS, Severity.INFO, "Door closed", "门关闭"),
    # Silent, because a picture that nothing else explains would give a duress away.
    Kind.SNAPSHOT_TAKEN: KindInfo(Lane.MEDIA, Severity.INFO, "Picture taken", "已抓拍图片", silent=True),
    Kind.SNAPSHOT_FAILED: KindInfo(Lane.MEDIA, Severity.MINOR, "No picture could be taken", "抓拍失败", silent=True),
    Kind.READINGS: KindInfo(Lane.TELEMETRY, Severity.INFO, "Readings", "读数"),
}  # fmt: skip

RESTORES: Mapping[Kind, Kind] = {
    info.restored_by: kind for kind, info in CATALOGUE.items() if info.restored_by is not None
}
"""What each restore kind restores."""


@dataclass(frozen=True, slots=True)
class Event:
    """Decided by a rule; `mono_s` is when it happened, `subject` the door, sensor, device or zone it is about."""

    kind: Kind
    subject: str
    mono_s: float
    data: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def info(self) -> KindInfo:
        return CATALOGUE[self.kind]
