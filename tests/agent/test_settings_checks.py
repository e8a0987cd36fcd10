"""Checks over the whole file: each mistake of an installer is found, all of them at once."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from agent.rules.doors.lock import PULSE_S
from agent.settings import Inspection, wiring
from agent.settings.load import inspect_text

EXAMPLE: dict[str, Any] = tomllib.loads((Path(__file__).parents[2] / "config/example.toml").read_text())
OSDP, MODBUS, GPIO = 0, 1, 2


def with_changes(*changes: tuple[str, Any]) -> Inspection:
    """Settings of the example with `path = value`; the value None removes the key, `[+]` appends."""
    raw = deepcopy(EXAMPLE)
    for path, value in changes:
        node: Any = raw
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            node = node[part]
        if value is None:
            del node[last]
        elif last == "+":
            node.append(value)
        else:
            node[last] = value
    return inspect_text(tomli_w.dumps(raw), Path("/etc/gatehouse"))


def test_a_lock_is_told_again_before_its_maximum_is_over() -> None:
    assert wiring.RENEWED_S == PULSE_S


def test_example_has_neither_problem_nor_weakness() -> None:
    found = with_changes()
    assert found.settings is not None
    assert (found.problems, found.weaknesses) == ((), ())


def wiegand(**changes: Any) -> dict[str, Any]:
    reader = {"id": "reader-yard", "data0": 14, "data1": 15, "formats": ["wiegand-26"], "led": {"line": 20}}
    return {"driver": "wiegand", "id": "wiegand-1", "chip": "pinctrl-rp1", "readers": [reader | changes]}


def test_a_wiegand_reader_serves_a_door_and_is_reported_as_weak() -> None:
    found = with_changes(("devices.+", wiegand()), ("doors.1.reader", "reader-yard"))
    assert found.problems == ()
    (weakness,) = found.weaknesses
    assert "can read and replay cards" in weakness.reason.en


def test_a_relay_in_a_reader_may_be_a_lock_and_is_reported_as_weak() -> None:
    found = with_changes(("devices.0.readers.0.outputs", 1), ("doors.0.lock", "reader-east/output-0"))
    assert found.problems == ()
    (weakness,) = found.weaknesses
    assert weakness.key == "doors.east-gate.lock"
    beyond = with_changes(("devices.0.readers.0.outputs", 1), ("doors.0.lock", "reader-east/output-1"))
    assert [problem.key for problem in beyond.problems] == ["doors.east-gate.lock"]


ZONE = "cameras.0.zones.0.polygon"
LINE = "cameras.1.lines.0"
WALL = next(n for n, sensor in enumerate(EXAMPLE["sensors"]) if sensor["id"] == "east-wall")

MISTAKES = [
    ([("sensors.0.id", "east-gate")], "sensors.east-gate.id", "already the id of an entry under doors"),
    ([("devices.0.readers.1.id", "reader-east")], "readers[1].id", "already the id of an entry under readers"),
    ([("cameras.0.zones.0.id", "cam-fire-lane")], "zones.cam-fire-lane.id", "already the id of an entry under cameras"),
    ([("devices.2.inputs.1.id", "east-lock")], "outputs.east-lock.id", "which gpio has already"),
    ([("devices.1.units.0.points.1.id", "water")], "points[1].id", "which pump-room has already"),
    ([("doors.0.reader", "reader-eats")], "doors.east-gate.reader", "reader-east, reader-west"),
    ([("doors.0.reader", "pump-room")], "doors.east-gate.reader", "reader-east, reader-west"),
    ([("doors.0.lock", "gpio/east-loc")], "doors.east-gate.lock", "gpio/east-lock, gpio/west-lock"),
    ([("doors.0.lock", "gpio/cabinet")], "doors.east-gate.lock", "which is an input, not an output"),
    ([("doors.0.contact", "gpio/east-lock")], "doors.east-gate.contact", "which is an output, not an input"),
    ([("doors.0.contact", "pump-room/temperature")], "doors.east-gate.contact", "which is a number, not an input"),
    ([("doors.0.rex", "nothing")], "doors.east-gate.rex", "which is not in this file"),
    ([("doors.0.rex", "gpio/east-contact")], "doors.east-gate.rex", "the same input as the contact"),
    ([("doors.1.lock", "gpio/east-lock")], "doors.west-gate.lock", "which door east-gate uses"),
    ([("doors.1.contact", "gpio/east-contact")], "doors.west-gate.contact", "which door east-gate uses"),
    ([("doors.0.sounder", "gpio/west-lock")], "doors.east-gate.sounder", "which is the lock of door west-gate"),
    ([("doors.1.sounder", "gpio/east-lock")], "doors.west-gate.sounder", "which is the lock of door east-gate"),
    ([("doors.0.fire", "gpio/fir")], "doors.east-gate.fire", "which is not in this file"),
    ([("doors.0.fire_reset", "gpio/east-lock")], "doors.east-gate.fire_reset", "which is an output, not an input"),
    ([("doors.0.fire_reset", "gpio/fire")], "doors.east-gate.fire_reset", "the same point as fire"),
    ([("doors.0.sounder", "gpio/fire")], "doors.east-gate.sounder", "which is an input, not an output"),
    ([("doors.0.sounder", "gpio/east-lock")], "doors.east-gate.sounder", "the same point as lock"),
    ([("doors.0.free_access", "worktime")], "doors.east-gate.free_access", "Name a schedule that is there: working"),
    ([("doors.0.interlock", "east-gate")], "doors.east-gate.interlock", "which is not another door"),
    ([("doors.0.interlock", "gate")], "doors.east-gate.interlock", "Name the other door: west-gate"),
    ([("doors.1.interlock", None)], "doors.east-gate.interlock", 'Write interlock = "east-gate" for west-gate'),
    ([("doors.0.pre_alarm_s", 30)], "doors.east-gate.pre_alarm_s", "not less than held_s (30)"),
    ([("doors.0.extended_s", 2)], "doors.east-gate.extended_s", "less than unlock_s (5)"),
    ([("doors.1.reader", None)], "doors.west-gate.anti_passback_s", "the door has no reader"),
    (
        [("doors.0.reader", None), ("doors.0.pin", "card-and-pin"), ("doors.0.anti_passback_s", 0)],
        "doors.east-gate.pin",
        "the door has no reader",
    ),
    ([("devices.2.outputs.0.safe", True)], "outputs.east-lock.max_on_s", "on in its safe state"),
    ([("devices.2.outputs.0.max_on_s", 5)], "outputs.east-lock.max_on_s", "Write 10 or more"),
    (
        [(f"devices.2.inputs.{n}", {"id": f"i{n}", "line": n, "debounce_ms": n + 1}) for n in range(7)]
        + [("devices.2.inputs.+", {"id": f"i{n}", "line": n, "debounce_ms": n + 1}) for n in range(7, 9)]
        + [("doors", []), ("sensors", [])],
        "devices.gpio.inputs",
        "have 11 kinds of settings",
    ),
    ([("devices.+", wiegand(data1=17))], "reader-yard.data1", "the line of gpio/east-contact"),
    ([("devices.+", wiegand(data1="GPIO14"))], "reader-yard.data1", "the line of wiegand-1/reader-yard/data0"),
    ([("devices.+", wiegand(led={"line": 5}))], "reader-yard.led.line", "the line of gpio/east-lock"),
    ([("devices.+", wiegand(id="reader-east"))], "readers.reader-east.id", "already the id of an entry under readers"),
    ([("devices.+", wiegand(formats=[]))], "reader-yard.formats", "at least 1"),
    ([("doors.0.camera", "cam-lane")], "doors.east-gate.camera", "Name a camera that is there: cam-fire"),
    ([("doors.0.tailgating", "line")], "doors.east-gate.tailgating", "line of cam-gate that is there: east-gate-line"),
    ([("doors.0.camera", "cam-fire-lane")], "doors.east-gate.tailgating", "not a line of cam-fire-lane"),
    ([("doors.0.camera", None)], "doors.east-gate.tailgating", "is given without camera"),
    ([("doors.0.contact", None), ("doors.0.rex", None)], "doors.east-gate.tailgating", "is given without contact"),
    ([(f"{LINE}.labels", ["vehicle"])], "doors.east-gate.tailgating", "counts no persons"),
    ([(f"{LINE}.inside", [300, 242])], "lines.east-gate-line.inside", "lies on the line"),
    ([(f"{LINE}.inside", [300, 400])], "lines.east-gate-line.inside", "outside the picture of 640 by 360"),
    ([(f"{LINE}.ends", [[200, 240], [200, 240]])], "lines.east-gate-line.ends", "one and the same point"),
    ([(f"{LINE}.ends", [[200, 240]])], "lines.east-gate-line.ends", "a list of exactly 2 points"),
    ([(f"{LINE}.schedule", "nigth")], "lines.east-gate-line.schedule", "Name a schedule that is there: working"),
    ([(f"{LINE}.id", "fire-lane")], "lines.fire-lane.id", "already the id of an entry under zones"),
    ([("cameras.0.zones.0.schedule", "nigth")], "zones.fire-lane.schedule", "Name a schedule that is there"),
    ([("cameras.0.zones.0.more_than", 3)], "zones.fire-lane.more_than", 'the zone is for "fire-lane"'),
    ([("cameras.1.zones.1.more_than", None)], "zones.east-square.more_than", "a crowd needs a number"),
    ([("sensors.2.zone", "east-square")], "sensors.pump-room-cold.zone", "only perimeter alarms are verified"),
    ([(f"sensors.{WALL}.zone", "wall")], "sensors.east-wall.zone", "zone of cam-gate that is there: east-wall-foot"),
    ([(f"sensors.{WALL}.camera", None)], "sensors.east-wall.zone", "is given without camera"),
    ([("sensors.0.camera", "pump-room")], "sensors.pump-room-water.camera", "not a camera in this file"),
    ([("sensors.0.point", "pump-room/watr")], "sensors.pump-room-water.point", "are there: pump-room/water"),
    ([("sensors.0.point", "gpio/east-lock")], "sensors.pump-room-water.point", "which is an output"),
    ([("sensors.1.above", None)], "sensors.pump-room-hot.point", "no limit is given"),
    ([("sensors.1.below", 50.0)], "sensors.pump-room-hot.below", "not less than above"),
    ([("sensors.0.above", 1.0)], "sensors.pump-room-water.above", "on or off, not a number"),
    ([("sensors.0.below", 0.5)], "sensors.pump-room-water.below", "on or off, not a number"),
    ([("sensors.0.hysteresis", 0.5)], "sensors.pump-room-water.hysteresis", "on or off, not a number"),
    ([("devices.0.readers.1.address", 0)], "reader-west.address", "the address of reader-east"),
    ([("devices.0.readers.0.key_file", None)], "reader-east.key_file", 'key_file = "keys/reader-east.key"'),
    ([("devices.1.units.1.unit", 1)], "stairwell-1.unit", "the number of pump-room"),
    ([("devices.1.port", EXAMPLE["devices"][0]["port"])], "modbus-1.port", "the port of osdp-1 too"),
    ([("devices.1.port", "ttyUSB0")], "modbus-1.port", "whole path"),
    ([("devices.1.units.0.points.0.encoding", "u16")], "points.water.encoding", "a discrete is a single bit"),
    ([("devices.2.inputs.1.line", 17)], "inputs.east-rex.line", "the line of gpio/east-contact"),
    ([("devices.2.outputs.1.line", "GPIO17")], "outputs.west-lock.line", "the line of gpio/east-contact"),
    ([("devices.2.outputs.1.line", -1)], "outputs.west-lock.line", "no line of a chip"),
    ([("devices.+", {"driver": "gpio", "id": "gpio-2", "chip": "pinctrl-rp1", "inputs": [{"id": "x", "line": 5}]})],
     "gpio-2.inputs.x.line", "the line of gpio/east-lock"),
    ([("gateway.timezone", "Asia/Tongchuan")], "gateway.timezone", "this machine does not know"),
    ([("gateway.timezone", "Asia")], "gateway.timezone", "this machine does not know"),
    ([("schedules.0.id", "east-gate")], "schedules.east-gate.id", "already the id of an entry under doors"),
    ([("schedules.0.windows.0.to", "08:00")], "working-hours.windows[0].to", 'from = "00:00" and to = "24:00"'),
    ([("schedules.0.windows.0.from", "24:00")], "working-hours.windows[0].from", "following day"),
    ([("holidays.0.date", "2026-02-30")], "holidays[0].date", "there is no such day"),
    ([("holidays.+", EXAMPLE["holidays"][0])], "holidays[1].date", "listed already"),
    ([(ZONE, [[0, 0], [641, 0], [0, 9]])], "zones.fire-lane.polygon", "outside the picture of 640 by 360"),
    ([(ZONE, [[0, 0], [5, 5], [9, 9]])], "zones.fire-lane.polygon", "encloses nothing"),
    ([(ZONE, [[0, 0], [5, 5], [0, 0], [5, 5]])], "zones.fire-lane.polygon", "encloses nothing"),
    ([(ZONE, [[3, 3], [3, 3], [3, 3]])], "zones.fire-lane.polygon", "encloses nothing"),
    ([(ZONE, [[0, 0], [90, 90], [90, 0], [0, 90]])], "zones.fire-lane.polygon", "begin at [0, 0] and [90, 0] cut"),
    ([("cameras.0.privacy.0", [[0, 0], [9, 9], [9, 0], [0, 9]])], "privacy[0]", "in order, once round"),
    ([("vision.model", "yolo")], "vision.model", "one of: nanodet-416-fp16, nanodet-416-int8, ssd-"),
    ([("devices.0.readers.0.texts.granted", "欢迎")], "reader-east.texts.granted", "1 to 32 ASCII characters"),
    ([("cameras.0.privacy.0", [[0, 0], [0, -1], [5, 5]])], "privacy[0]", "outside the picture"),
    ([("devices.1.units.0.points.2.address", 65535), ("devices.1.units.0.points.2.encoding", "f32")],
     "points.temperature.address", "beyond the last register"),
    ([("cameras.0.source", "ftp://192.168.1.64/")], "cam-fire-lane.source", "rtsp://"),
    ([("cameras.0.source", "rtsp:///stream")], "cam-fire-lane.source", "names no host"),
    ([("cameras.0.source", "rtsp://192.168.1.64:99999/")], "cam-fire-lane.source", "a port that is none"),
    ([("cameras.0.source", "http://[::1/")], "cam-fire-lane.source", "names no host"),
    ([("cameras.0.source", "rtsp://me:secret@192.168.1.64/")], "cam-fire-lane.source", "contains a password"),
    ([("centre.broker", "mqtt://10.0.0.7")], "centre.broker", "without encryption"),
    ([("centre.broker", "mqtt://localhost.example.cn")], "centre.broker", "without encryption"),
    ([("centre.broker", "mqtts://")], "centre.broker", "names no host"),
    ([("centre.broker", "mqtts://[::1")], "centre.broker", "names no host"),
    ([("centre.broker", "mqtts://h:99999")], "centre.broker", "1 to 65535"),
    ([("centre.broker", "mqtts://me:secret@h")], "centre.broker", "user name or password"),
    ([("centre.broker", "mqtts://h/path")], "centre.broker", "goes on after"),
    ([("centre.fallback", ["mqtt://10.0.0.7"])], "centre.fallback[0]", "without encryption"),
    ([("centre.fallback", ["mqtts://b", "mqtts://b"])], "centre.fallback[1]", "named already"),
    ([("centre.confirm", "broker"), ("centre.protocol", "3.1.1")], "centre.confirm", "even what it has refused"),
    ([("centre.key_file", None)], "centre.key_file", "cert_file is of no use without it"),
    ([("centre.cert_file", None)], "centre.cert_file", "key_file is of no use without it"),
    ([("centre.password_file", "p")], "centre.username", "password_file is of no use without it"),
    ([("storage.alarm_reserve_mb", 512)], "storage.alarm_reserve_mb", "not less than max_mb"),
    ([("gateway.county", "610302")], "gateway.county", "does not lie in city"),
    ([("gateway.city", "610202")], "gateway.city", "code of a county"),
    ([("gateway.city", "6102")], "gateway.city", "4 digits, not 6"),
    ([("gateway.county", "61020200")], "gateway.county", "8 digits, not 6"),
    ([("gateway.street", "610202001001")], "gateway.street", "12 digits, not 9"),
    ([("gateway.community", "610202001")], "gateway.community", "9 digits, not 12"),
    ([("gateway.county", "GX01"), ("gateway.street", "620202001")], "gateway.street", "begins with 6102"),
    ([("gateway.areas", {"county": ""})], "gateway.areas.county", "county"),
    ([("gateway.street", "610203001")], "gateway.street", "begins with 610202"),
    ([("gateway.community", "610202002001")], "gateway.community", "begins with 610202001"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key", "said"), MISTAKES, ids=[f"{m[1]}-{n}" for n, m in enumerate(MISTAKES)])
def test_mistake_is_found_and_placed(changes: list[tuple[str, Any]], key: str, said: str) -> None:
    found = with_changes(*changes)
    assert found.settings is None
    named = [problem for problem in found.problems if problem.key.endswith(key)]
    assert any(said in str(problem) for problem in named), found.problems
    for problem in found.problems:
        assert problem.line is not None
        assert all((problem.reason.en, problem.reason.zh, problem.cure.en, problem.cure.zh))
        assert "secret" not in str(problem)


def test_a_broker_refused_for_plain_text_is_not_also_called_allowed() -> None:
    assert with_changes(("centre.broker", "mqtt://10.0.0.7")).weaknesses == ()


def test_all_mistakes_are_reported_in_one_pass() -> None:
    found = with_changes(
        ("doors.0.reader", "nobody"),
        ("devices.1.units.1.unit", 1),
        ("storage.alarm_reserve_mb", 600),
        ("gateway.county", "999999"),
        (ZONE, [[0, 0], [700, 0], [0, 9]]),
    )
    assert len(found.problems) == 6  # the street no longer lies in its county either
    assert [p.line for p in found.problems] == sorted(p.line or 0 for p in found.problems)


@pytest.mark.parametrize(
    "changes",
    [
        [("gateway.county", "GX01"), ("gateway.street", "DEVZONE"), ("gateway.community", "DEV01")],
        [("gateway.county", "GX01")],
        [("gateway.areas", None)],
        [("centre.broker", "mqtt://localhost")],
        [("centre.broker", "mqtt://127.0.0.9:1999")],
        [("centre.broker", "mqtt://[::1]:1883")],
        [("centre.broker", "mqtts://[2001:db8::1]:8883")],
        [("devices.2.chip", "unix:/run/lines.sock")],
        [("doors.1.contact", "stairwell-1/smoke")],
        [("doors.1.reader", "reader-east")],
        [("doors.0.rex", None)],
        [("cameras", []), ("doors.0.camera", None), ("doors.0.tailgating", None), ("sensors", [])],
        [(ZONE, [[0, 0], [640, 0], [640, 360], [0, 360]])],
        [(ZONE, [[0, 0], [640, 0], [640, 360], [320, 90], [0, 360], [0, 0]])],
        [("vision.model_card", "own.toml"), ("vision.model", None)],
    ],
)
def test_unusual_but_sound_settings_are_accepted(changes: list[tuple[str, Any]]) -> None:
    assert with_changes(*changes).problems == ()


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ([("devices.0.readers.0.secure_channel", "off")], "reader-east.secure_channel", "read and replay"),
        ([("centre.broker", "mqtt://127.0.0.1")], "centre.broker", "not encrypted"),
        ([("gateway.id", "gh-" + "0" * 30)], "gateway.id", "common name holds 64"),
        ([("clock_trust", "always")], "clock_trust", "even when the clock is wrong"),
        ([("doors.1.contact", None)], "doors.west-gate.contact", "forced or held"),
        ([("access", {})], "access.credentials_file", "every card is denied"),
        ([("centre.confirm", "broker"), ("centre.protocol", "5")], "centre.confirm", "not sent again"),
        ([("centre.confirm", "broker")], "centre.confirm", "may fall back"),
    ],
)
def test_weakness_is_reported_and_allowed(changes: list[tuple[str, Any]], key: str, said: str) -> None:
    found = with_changes(*changes)
    assert found.settings is not None
    (weakness,) = found.weaknesses
    assert weakness.key.endswith(key)
    assert said in str(weakness)
