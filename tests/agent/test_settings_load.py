"""A settings file that cannot be run says where, why, and what would be right."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settings import Problem, SettingsError, check_report, inspect, load
from agent.settings.expected import _BY_TYPE, PATTERNS, expected
from agent.settings.lines import locate
from agent.settings.load import inspect_text
from agent.settings.schema import schema_text
from agent.words import Lang, language
from drivers.base import ConfigError
from drivers.osdp.config import OsdpBus

SIMULATED = (Path(__file__).parents[2] / "config/simulated.toml").read_text()

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "compound.toml"
        path.write_text(text)
        return path

    return write


def changed(write: Write, old: str, new: str) -> tuple[Problem, ...]:
    assert old in SIMULATED
    return inspect(write(SIMULATED.replace(old, new, 1))).problems


def test_relative_paths_count_from_the_files_folder(write: Write, tmp_path: Path) -> None:
    second = """
[[cameras]]
id = "cam-2"
name = { zh = "二", en = "2" }
source = "/dev/video0"
picture = { width = 64, height = 64 }
purpose = "p"
owner = "o"
sign = "s"
password_file = "pw"
"""
    found = load(write(SIMULATED + second))
    bus = found.devices[0]
    assert isinstance(bus, OsdpBus)
    assert bus.readers[0].key_file == tmp_path / "keys/reader-north.key"
    assert found.storage.folder == tmp_path / "state"
    assert found.access.credentials_file == tmp_path / "credentials.json"
    assert found.cameras[0].source == f"file:{tmp_path}/bikes.mp4"
    assert found.cameras[1].source == "/dev/video0"
    assert found.cameras[1].password_file == str(tmp_path / "pw")
    assert found.centre.ca_file is None


def test_absolute_paths_stay(write: Write) -> None:
    assert load(write(SIMULATED.replace('"state"', '"/srv/state"'))).storage.folder == Path("/srv/state")


def test_error_carries_every_problem_and_leads_to_check(write: Write) -> None:
    path = write(SIMULATED.replace("baud = 115200", "baud = 1").replace("fps = 5", "fps = 99"))
    with pytest.raises(SettingsError) as caught:
        load(path)
    assert isinstance(caught.value, ConfigError)
    assert [p.key for p in caught.value.problems] == ["devices.osdp-1.baud", "cameras.cam-lane.fps"]
    assert "devices.osdp-1.baud is 1" in str(caught.value)
    assert "(1 more)" in str(caught.value)
    assert f"gatehouse check {path}" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("address = 0\n", "address = 300\n", "devices.osdp-1.readers.reader-north.address", "limit is 126"),
        ("address = 0\n", 'address = "0"\n', "devices.osdp-1.readers.reader-north.address", "without quotes"),
        ("address = 0\n", "address = true\n", "devices.osdp-1.readers.reader-north.address", "a whole number from 0"),
        ("address = 0\n", "adress = 0\n", "devices.osdp-1.readers.reader-north.adress", 'mean "address"'),
        ("address = 0\n", "", "devices.osdp-1.readers.reader-north.address", "Add address: a whole number"),
        ("baud = 115200", "baud = 115201", "devices.osdp-1.baud", "one of 9600, 19200"),
        ('driver = "gpio"', 'driver = "gpoi"', "devices.gpio.driver", 'Did you mean "gpio"'),
        ('driver = "gpio"\n', "", "devices.gpio.driver", '"gpio", "modbus", "osdp"'),
        ('register = "discrete"', 'register = "discret"', "points.water.register", 'Did you mean "discrete"'),
        ('kind = "water"', 'kind = "watr"', "sensors.pump-room-water.kind", 'Did you mean "water"'),
        ("unlock_s = 3", "unlock_s = 0.5", "doors.north-gate.unlock_s", "too small: the limit is 1"),
        ("unlock_s = 3", "unlock_s = nan", "doors.north-gate.unlock_s", "not a finite number"),
        ("fps = 5", "fps = 2026-01-01", "cameras.cam-lane.fps", "date"),
        ("line = 17,", "line = 1.5,", "inputs.north-contact.line", "a whole number, without quotes or a text"),
        ("line = 17,", "line = {},", "devices.gpio.inputs.north-contact.line", "a table"),
        ("[640, 60]", "[640]", "zones.lane.polygon[1]", "exactly 2 numbers"),
        ("[[0, 60], [640, 60], [640, 272], [0, 272]]", "[[0, 60], [640, 60]]", "zones.lane.polygon", "has 2 entries"),
        ('labels = ["person", "vehicle"]', 'labels = ["face"]', "zones.lane.labels[0]", '"person", "vehicle"'),
        ('labels = ["person", "vehicle"]', 'labels = "person"', "zones.lane.labels", "a list of at least 1"),
        ('id = "gh-demo01"', 'id = "demo01"', "gateway.id", '"gh-" and 4 to 32'),
        ('id = "north-gate"', 'id = "North Gate"', "doors[0].id", "lower-case"),
        ('id = "north-gate"', 'id = ""', "doors[0].id", "lower-case"),
        ('zh = "北门"', 'zh = ""', "doors.north-gate.name.zh", "is empty"),
        ('zh = "北门"', f'zh = "{"门" * 61}"', "doors.north-gate.name.zh", "longer than 60"),
        ('name = { zh = "北门", en = "North gate" }', 'name = "北门"', "doors.north-gate.name", "the keys zh, en"),
        ("[run]", "[runn]", "runn", 'Did you mean "run"'),
        ("[run]", "[privacy]\nsnapshots = true\n[run]", "privacy.snapshots", "key_file"),
        ('"mqtt://127.0.0.1:1883"', '"http://me:secret@h/"', "centre.broker", "mqtts://broker.example.cn"),
        ("[gateway]", "[gatewya]", "gateway", "Add gateway: a table with the keys id, city"),
    ],
)  # fmt: skip
def test_one_wrong_key_is_named_with_its_cure(write: Write, old: str, new: str, key: str, said: str) -> None:
    found = changed(write, old, new)
    named = [problem for problem in found if problem.key.endswith(key)]
    assert len(named) == 1, found
    assert said in str(named[0])
    assert named[0].reason.zh
    assert named[0].cure.zh
    assert "secret" not in "".join(str(problem) for problem in found)


def test_line_is_the_keys_own(write: Write) -> None:
    (problem,) = changed(write, "held_s = 8", "held_s = -8")
    assert problem.line is not None
    assert SIMULATED.splitlines()[problem.line - 1] == "held_s = 8"


def test_a_list_with_a_wrong_entry_is_not_also_called_too_short(write: Write) -> None:
    found = changed(write, "unit = 2\n", "unit = 0\n")
    assert [problem.key for problem in found] == ["devices.modbus-1.units.stairwell-1.unit"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[gateway\n", "not valid TOML"),
        (b'a = 1\nb = "\n', "not valid TOML"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        ("a = “1”\n".encode(), "“, typed in Chinese"),
        ("a = { b = 1， c = 2 }\n".encode(), "，, typed in Chinese"),
        ('a = "，" # ，\nb = \n'.encode(), "Invalid value"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"x = 1\n\xff\n", "not UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b".".join([b"a"] * 3000) + b" = 1", "nested too deeply"),
        (b"a = 0x" + b"f" * 9000, "beyond 64 bits"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_toml_is_one_clear_problem(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "compound.toml"
    path.write_bytes(text)
    (problem,) = inspect(path).problems
    assert said in str(problem)
    assert problem.cure.en


def test_bad_toml_names_the_line(write: Write) -> None:
    (problem,) = inspect(write('[gateway]\nid = "gh-demo01\n')).problems
    assert problem.line == 2


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_unreadable_file_is_a_problem(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "compound.toml"
    if kind == "folder":
        path.mkdir()
    (problem,) = inspect(path).problems
    assert "cannot be read" in str(problem)


def test_byte_order_mark_of_windows_editors_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "compound.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SIMULATED.encode())
    assert load(path).gateway.id == "gh-demo01"


def test_lines_are_found_in_every_way_toml_is_written() -> None:
    text = '''# comment [a]
a.b = "x # ] no"   # c
"q k" = 1
m = """
[no]
" quote
"""
n = [ # c
  { x = 1, y = [1,
     2] },
  'it]',
]
[t]
u = {}
[[t.list]]
v = 2020-01-01
[[t.list]]
w = false
[t.list.sub]
z = """ends with quote""""
'''
    found = locate(text)
    want = {
        ("a", "b"): 2, ("q k",): 3, ("m",): 4, ("n",): 8, ("n", 0): 9, ("n", 0, "x"): 9, ("n", 0, "y", 1): 10,
        ("n", 1): 11, ("t",): 13, ("t", "u"): 14, ("t", "list", 0): 15, ("t", "list", 0, "v"): 16,
        ("t", "list", 1, "w"): 18, ("t", "list", 1, "sub", "z"): 20,
    }  # fmt: skip
    assert {path: found.get(path) for path in want} == want


def test_every_pattern_and_kind_of_the_schema_has_words() -> None:
    root = json.loads(schema_text())
    patterns = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                patterns.add(node["pattern"])
            if node.get("type") in set(_BY_TYPE) or "$ref" in node or "anyOf" in node or "oneOf" in node:
                words = expected(root, node)
                assert words.en
                assert words.zh
            for below in node.values():
                walk(below)
        elif isinstance(node, list):
            for below in node:
                walk(below)

    walk(root["properties"])
    walk(root["$defs"])
    assert patterns == set(PATTERNS)


@pytest.mark.parametrize("lang", list(Lang))
def test_report_lists_problems_and_exits_2(write: Write, lang: Lang) -> None:
    path = write(SIMULATED.replace("baud = 115200", "baud = 1").replace("fps = 5", "fps = 99"))
    text, code = check_report(path, lang)
    assert code == 2
    assert "devices.osdp-1.baud" in text
    assert "cameras.cam-lane.fps" in text
    assert ("2 problems" if lang is Lang.EN else "2 个问题") in text


@pytest.mark.parametrize("lang", list(Lang))
def test_report_of_good_settings_counts_and_exits_0(write: Write, lang: Lang) -> None:
    text, code = check_report(write(SIMULATED), lang)
    assert code == 0
    assert "gh-demo01" in text
    assert ("2 doors" if lang is Lang.EN else "2 扇门") in text
    assert ("2 weaknesses, allowed" if lang is Lang.EN else "2 处薄弱环节") in text


def test_language_follows_the_flag_then_the_terminal() -> None:
    assert language({"LANG": "zh_CN.UTF-8"}) is Lang.ZH
    assert language({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) is Lang.EN
    assert language({"LANG": "zh_CN.UTF-8"}, "en") is Lang.EN
    assert language({}) is Lang.EN


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_problems(junk: str) -> None:
    found = inspect_text(junk, Path("/"))
    assert found.settings is None
    assert all(problem.key and problem.reason.en and problem.cure.en for problem in found.problems)
    assert found.problems
