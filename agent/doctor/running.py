"""The running agent's snapshot in plain words: what `gatehouse status` says."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.doctor import pictures
from agent.doctor.chinese import both
from agent.doctor.findings import Finding, bad, called, ok, warn
from agent.events import CATALOGUE, Kind
from agent.vision.rates import FULL_PACE, MOST_MISSED
from agent.words import Words

_SUMMARY = Words("gateway", "网关")
_LINK = Words("centre", "综治中心")
_JOURNAL = Words("journal", "事件日志")
_CARDS = Words("card list", "通行名单")
_ORDERS = Words("orders of the centre", "中心指令")
_CLOCK = Words("clock", "时钟")
_CAMERAS = Words("cameras", "摄像机")
_SENSORS = Words("sensors", "传感器")

_STATES = {
    "received": Words("received by the centre", "中心已接收"),
    "dispatched": Words("somebody is on the way", "已派员处置"),
}
_LEAF = {None: Words("", ""), True: Words(", open", "，门开"), False: Words(", closed", "，门关")}


def running(snapshot: Mapping[str, Any]) -> list[Finding]:
    """A finding for the gateway, the link, the journal, each device, door and sensor. An alarm is a note: it works."""
    names = snapshot["names"]
    return [
        _summary(snapshot),
        _link(snapshot["link"]),
        _journal(snapshot["journal"], snapshot["lanes"]),
        _cards(snapshot["cards"]),
        *_clock(time_trusted=snapshot["time_trusted"]),
        *devices(snapshot["devices"], names),
        *_doors(snapshot["doors"], names),
        *_sensors(snapshot["sensors"], names),
        *_handling(snapshot.get("handling", []), names),
        *_commands(snapshot.get("commands", {})),
        *_vision(snapshot["vision"]),
        *pictures.findings(snapshot),
        *_rules(snapshot["rules_failed"]),
    ]


def _summary(snapshot: Mapping[str, Any]) -> Finding:
    gateway, version = snapshot["gateway"], snapshot["version"]
    return ok(
        _SUMMARY,
        f"{gateway['en']} ({gateway['id']}), version {version}",
        f"{gateway['zh']}（{gateway['id']}），版本 {version}",
    )


def _link(link: Mapping[str, Any]) -> Finding:
    match link["phase"]:
        case "up":
            by = both(link["reason"])  # of a broker that is not the preferred one
            en, zh = f"connected, MQTT {link['protocol']}", f"已连接，MQTT {link['protocol']}"
            return ok(_LINK, f"{en} {by.en}".strip(), f"{zh} {by.zh}".strip())
        case "connecting":
            return warn(
                _LINK,
                Words("being connected", "连接中"),
                Words("wait a moment; events are kept meanwhile", "请稍候，事件暂存在本地"),
            )
        case _:
            what, kept = both(link["reason"]), Words("; events are kept meanwhile", "；事件暂存在本地")
            return bad(_LINK, Words(what.en + kept.en, what.zh + kept.zh), both(link["hint"] or "trying again"))


def _journal(journal: Mapping[str, Any], lanes: Mapping[str, Any]) -> Finding:
    written = sum(lane["last"] for lane in lanes.values())
    waiting, pending = sum(lane["waiting"] for lane in lanes.values()), journal["pending"]
    if journal["state"] == "ok":
        return ok(
            _JOURNAL,
            f"{written} entries written, {waiting + pending} waiting for the centre",
            f"已写入 {written} 条，{waiting + pending} 条待综治中心确认",
        )
    reason, refused = both(journal["reason"]), journal["refused"]
    return bad(
        _JOURNAL,
        Words(
            f"{reason.en}; {pending} entries wait in memory, {refused} were refused",
            f"{reason.zh}；{pending} 条暂存在内存，已拒收 {refused} 条",
        ),
        both(journal["hint"]),
    )


def _cards(cards: Mapping[str, Any]) -> Finding:
    if cards["problem"]:
        what = both(cards["problem"])
        return bad(
            _CARDS, Words(f"{what.en}: every card is denied", f"{what.zh}；所有卡都被拒绝"), both(cards.get("hint", ""))
        )
    count = cards["count"]
    return ok(_CARDS, f"{count} card{'' if count == 1 else 's'}", f"{count} 张卡")


def _clock(*, time_trusted: bool) -> Iterator[Finding]:
    if not time_trusted:
        yield warn(
            _CLOCK,
            Words("is not synchronised: events go without the time", "未校准：事件不带时间"),
            Words("timedatectl set-ntp true", "timedatectl set-ntp true"),
        )


def devices(found: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[Finding]:
    """Every device's state: what is well first."""
    for name, device in sorted(found.items(), key=lambda item: (item[1]["state"] != "ok", item[0])):
        area = called(name, names, Words("", ""))
        match device["state"]:
            case "ok":
                yield ok(area, "ok", "正常")
            case "starting":
                yield warn(area, Words("starting", "启动中"), Words("wait a moment", "请稍候"))
            case _:
                yield bad(area, both(device["reason"]), both(device["hint"]))


def _doors(doors: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[Finding]:
    for name, door in sorted(doors.items()):
        if door.get("failed"):
            continue
        area = called(name, names, Words("door ", "门 "))
        if door["forced"] or door["held"]:
            what = Words("forced open", "被强行打开") if door["forced"] else Words("held open", "超时未关")
            yield warn(area, what, Words("look after the door, and close it", "请查看现场并关门"))
            continue
        lock, leaf = Words("unlocked", "已开锁") if door["unlocked"] else Words("locked", "已上锁"), _LEAF[door["open"]]
        yield ok(area, lock.en + leaf.en, lock.zh + leaf.zh)


def _sensors(sensors: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[Finding]:
    raised = [name for name, sensor in sorted(sensors.items()) if sensor.get("raised")]
    for name in raised:
        value = sensors[name]["value"]
        told = Words("", "") if isinstance(value, bool) else Words(f", value {value:g}", f"，读数 {value:g}")
        yield warn(
            called(name, names, Words("sensor ", "传感器 ")),
            Words(f"in alarm{told.en}", f"报警{told.zh}"),
            Words("look after it on site", "请查看现场"),
        )
    if sensors:
        quiet = len(sensors) - len(raised)
        yield ok(_SENSORS, f"{quiet} of {len(sensors)} quiet", f"{len(sensors)} 个中 {quiet} 个无报警")


def _commands(commands: Mapping[str, Any]) -> Iterator[Finding]:
    if not commands.get("rooted"):
        return
    if commands["keys"]:
        yield ok(_ORDERS, f"key set {commands['keys']} is in force", f"密钥集第 {commands['keys']} 版有效")
        return
    waits = Words(
        ", and no receipt counts" * commands["signed_receipts"], "，回执也无法验证" * commands["signed_receipts"]
    )
    yield warn(
        _ORDERS,
        Words(f"no key set has come yet: no order is taken{waits.en}", f"尚未收到密钥集：不接受指令{waits.zh}"),
        Words("the centre must send its key set: gatehouse command keys", "请由中心下发密钥集：gatehouse command keys"),
    )


def _handling(cases: list[Mapping[str, Any]], names: Mapping[str, Any]) -> Iterator[Finding]:
    """How far the centre is with each alarm."""
    for case in cases:
        info = CATALOGUE[Kind(case["kind"])]
        area = called(case["subject"], names, Words("alarm ", "报警 "))
        if case["state"] is None:
            what = Words(f"{info.title_en}: nobody has acknowledged it", f"{info.title_zh}：无人确认")
            yield warn(area, what, Words("call the centre", "请电话联系综治中心"))
        else:
            state, note = _STATES[case["state"]], f" ({case['note']})" if case["note"] else ""
            yield ok(area, f"{info.title_en}: {state.en}{note}", f"{info.title_zh}：{state.zh}{note}")


def _vision(vision: Mapping[str, Any]) -> Iterator[Finding]:
    stats = vision["stats"]
    if stats is not None:
        yield ok(
            _CAMERAS,
            f"{stats['frames']} pictures seen, {stats['inferences']} searched with {stats['runtime']}, "
            f"{stats['rss_kib'] // 1024} MB of memory",
            f"已看 {stats['frames']} 帧，用 {stats['runtime']} 检测 {stats['inferences']} 帧，"
            f"占内存 {stats['rss_kib'] // 1024} MB",
        )
        for camera in stats.get("cameras", ()):
            yield _rate(camera, stats["pace"])


def _rate(camera: Mapping[str, Any], pace: float) -> Finding:
    """How much of what a camera shows is watched."""
    area = Words(f"camera {camera['camera']}", f"摄像机 {camera['camera']}")
    en = f"{camera['fps']:g} of {camera['wanted_fps']:g} pictures a second, {camera['looked']:.0%} of them searched"
    zh = f"每秒 {camera['fps']:g}/{camera['wanted_fps']:g} 帧，其中检测 {camera['looked']:.0%}"
    if pace >= FULL_PACE and camera["missed"] <= MOST_MISSED:
        return ok(area, en, zh)
    return warn(
        area,
        Words(f"slowed: {en}, {camera['missed']:.0%} missed", f"已降速：{zh}，漏检 {camera['missed']:.0%}"),
        Words(
            "set vision.profile to economical, raise vision.cpu_cores, or give cameras less fps",
            "请把 vision.profile 设为 economical，提高 vision.cpu_cores，或降低摄像机 fps",
        ),
    )


def _rules(failed: list[str]) -> Iterator[Finding]:
    for name in failed:
        yield bad(
            Words(f"rule {name}", f"规则 {name}"),
            Words("stopped by a bug; it is started afresh", "因程序错误停止，正在重启"),
            Words(
                "send the log to the maintainers: journalctl -u gatehouse",
                "请把日志发给维护人员：journalctl -u gatehouse",
            ),
        )
