"""The running agent's snapshot in plain words: what `gatehouse status` says."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.doctor.findings import Finding, bad, ok, warn
from agent.words import Words

_SUMMARY = Words("gateway", "网关")
_LINK = Words("centre", "中心")
_JOURNAL = Words("journal", "事件日志")
_CAMERAS = Words("cameras", "摄像机")


def running(snapshot: Mapping[str, Any]) -> list[Finding]:
    """A finding for the gateway, the link, the journal, each device, door and sensor."""
    gateway = snapshot["gateway"]
    return [
        ok(
            _SUMMARY,
            f"{gateway['en']} ({gateway['id']}), version {snapshot['version']}",
            f"{gateway['zh']}({gateway['id']}),版本 {snapshot['version']}",
        ),
        _link(snapshot["link"]),
        _journal(snapshot["journal"], snapshot["lanes"]),
        *_devices(snapshot["devices"]),
        *_doors(snapshot["doors"]),
        *_sensors(snapshot["sensors"]),
        *_vision(snapshot["vision"]),
        *_rules(snapshot["rules_failed"]),
    ]


def _link(link: Mapping[str, Any]) -> Finding:
    if link["phase"] == "up":
        return ok(_LINK, f"connected, MQTT {link['protocol']}", f"已连接,MQTT {link['protocol']}")
    what = Words(link["reason"] or "connecting", link["reason"] or "连接中")
    cure = Words(link["hint"] or "wait; events are kept meanwhile", link["hint"] or "稍候,期间事件保存在本地")
    return (warn if link["phase"] in ("limited", "connecting") else bad)(_LINK, what, cure)


def _journal(journal: Mapping[str, Any], lanes: Mapping[str, Any]) -> Finding:
    raised = sum(lane["last"] for lane in lanes.values())
    waiting = sum(lane["waiting"] for lane in lanes.values()) + journal["pending"]
    if journal["state"] == "ok":
        return ok(
            _JOURNAL,
            f"{raised} entries written, {waiting} waiting for the centre",
            f"已写入 {raised} 条,{waiting} 条待中心确认",
        )
    refused = journal["refused"]
    return bad(
        _JOURNAL,
        Words(f"{journal['reason']}; {refused} entries refused", f"{journal['reason']};拒收 {refused} 条"),
        Words(journal["hint"], journal["hint"]),
    )


def _devices(devices: Mapping[str, Any]) -> Iterator[Finding]:
    for name, device in sorted(devices.items()):
        area = Words(name, name)
        if device["state"] == "ok":
            yield ok(area, "ok", "正常")
        elif device["state"] == "starting":
            yield warn(area, Words("starting", "启动中"), Words("wait a moment", "请稍候"))
        else:
            yield bad(area, Words(device["reason"], device["reason"]), Words(device["hint"], device["hint"]))


def _doors(doors: Mapping[str, Any]) -> Iterator[Finding]:
    for name, door in sorted(doors.items()):
        area = Words(f"door {name}", f"门 {name}")
        if door.get("failed"):
            continue
        lock = Words("unlocked", "已开锁") if door["unlocked"] else Words("locked", "已上锁")
        leaf = {None: Words("unknown", "未知"), True: Words("open", "开"), False: Words("closed", "关")}[door["open"]]
        if door["forced"] or door["held"]:
            what = Words("forced open", "被强行打开") if door["forced"] else Words("held open", "超时未关")
            yield bad(area, what, Words("see to the door and close it", "查看现场并关门"))
        else:
            yield ok(area, f"{lock.en}, {leaf.en}", f"{lock.zh},{leaf.zh}")


def _sensors(sensors: Mapping[str, Any]) -> Iterator[Finding]:
    for name, sensor in sorted(sensors.items()):
        if sensor.get("raised"):
            value = sensor["value"]
            yield bad(
                Words(f"sensor {name}", f"传感器 {name}"),
                Words(f"alarm, value {value}", f"报警,读数 {value}"),
                Words("see to it on site", "查看现场"),
            )


def _vision(vision: Mapping[str, Any]) -> Iterator[Finding]:
    stats = vision["stats"]
    if stats is not None:
        yield ok(
            _CAMERAS,
            f"{stats['frames']} frames, {stats['inferences']} inferences on {stats['runtime']}, "
            f"{stats['rss_kib'] // 1024} MB",
            f"{stats['frames']} 帧,{stats['runtime']} 推理 {stats['inferences']} 次,{stats['rss_kib'] // 1024} MB",
        )


def _rules(failed: list[str]) -> Iterator[Finding]:
    for name in failed:
        yield bad(
            Words(f"rule {name}", f"规则 {name}"),
            Words("stopped by a bug; it is started afresh", "因程序错误停止,正在重启"),
            Words("send the log to the maintainers", "请把日志发给维护人员"),
        )
