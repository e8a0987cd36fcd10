"""What commands say when they cannot do what they were told: every reason and cure has its Chinese."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.cli.complaints import COMPLAINTS
from agent.files import permissions
from models.card import names
from simulators.__main__ import main as simulators

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config/example.toml"
PLACES = (
    "agent/cli", "agent/commands", "agent/contract/jws.py", "agent/credentials", "agent/audit.py", "agent/files.py",
    "agent/configuration.py", "agent/instance.py", "agent/pictures.py", "agent/snapshot_store.py", "agent/status.py",
    "agent/journal/reading.py", "agent/uplink/dial.py", "agent/uplink/session.py", "drivers/osdp/keying.py",
    "drivers/osdp/keys.py", "models/card.py", "models/fetch.py", "models/runtime.py", "simulators/agent_process.py",
    "simulators/broker.py", "simulators/centre_command.py", "simulators/clips.py", "simulators/compound.py",
    "simulators/centre.py", "simulators/office.py", "simulators/registry.py", "simulators/scenario.py",
)  # fmt: skip
"""Whose errors reach who calls a command, and whose answers reach who gives an order."""
LOGS = ("agent/safe_outputs.py", "agent/configuration.py", "drivers/osdp/keys.py")
LOGGED = {"warning", "error"}
SAYS = re.compile(
    r"\w*(?<!Cell)(?<!Value)(?<!Runtime)(?<!ArgumentType)Error|AgentTrouble|DeviceFault|_damaged|[Rr]efused|Result|on_news"
)
KEPT = {"hint", "message", "reason"}
CHINESE = re.compile("[一-鿿]")


def sentences(source: str) -> Iterator[str]:
    """Reasons and cures, with `{}` for what is put into them."""
    for node in ast.walk(ast.parse(source)):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if SAYS.fullmatch(name):
                found = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in KEPT)]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in KEPT:
            found = [node.value]
        for value in found:
            text = written(value)
            if re.search("[a-z] |[a-z]$", text) and " " in text.replace("{}: {}", ""):
                yield text


def written(value: ast.expr) -> str:
    if isinstance(value, ast.JoinedStr):
        return "".join("{}" if isinstance(part, ast.FormattedValue) else written(part) for part in value.values)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def english_only(source: str) -> set[str]:
    return {text for text in sentences(source) if not CHINESE.search(COMPLAINTS.both(text).zh)}


def warnings(source: str) -> Iterator[str]:
    """What is logged where a command may read it, with `{}` for what is put in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGED:
            yield re.sub(r"%[.0-9]*[a-z]", "{}", written(node.args[0]))


@pytest.mark.parametrize("place", LOGS)
def test_every_warning_on_the_way_to_an_answer_has_its_chinese(place: str) -> None:
    said = set(warnings((ROOT / place).read_text("utf-8"))) - {"{}"}
    assert said
    assert {text for text in said if not CHINESE.search(COMPLAINTS.both(text).zh)} == set()


@pytest.mark.parametrize("place", PLACES)
def test_every_reason_and_cure_has_its_chinese(place: str) -> None:
    path = ROOT / place
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert {text for file in files for text in english_only(file.read_text("utf-8"))} == set()


def test_one_without_chinese_is_found() -> None:
    assert english_only('raise ConfigError(f"{x} has no wings", hint="give it some")') == {
        "{} has no wings",
        "give it some",
    }
    assert english_only('raise ConfigError(f"{x} is there already", hint="try again")') == set()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("keys", "show", "nowhere.pub"), "gatehouse: nowhere.pub：文件不存在 → 请指定您有权读取的文件"),
        (("models", "fetch", "nothing", "--folder", "."), "gatehouse: 没有模型 nothing → 可选的模型有："),
        (("audit", "show", "--log", "."), "gatehouse: .：是目录，不是文件 → 请以 root 或 gatehouse 用户运行"),
        (("centre", "--broker", "mqtt://x", "--collectors", "1"), "gatehouse: --collectors 须共用"),
        (("centre", "--broker", "nonsense"), "gatehouse: nonsense 不是消息代理地址"),
        (
            ("centre", "--broker", "mqtts://x", "--ca-file", "none.pem"),
            "gatehouse: none.pem：文件不存在 → 请放置该文件",
        ),
        (
            (
                "command",
                "restart",
                "--key",
                "k",
                "--file",
                str(EXAMPLE),
                "--broker",
                "mqtts://x",
                "--ca-file",
                "no.pem",
            ),
            "gatehouse: no.pem：文件不存在 → 请放置该文件",
        ),
        (("centre", "--broker", "mqtt://x", "--database", "nowhere/a.db"), "gatehouse: 无法打开 nowhere/a.db"),
    ],
)
def test_what_is_wrong_and_its_cure_are_one_line_in_chinese(
    call: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    program = simulators if call[0] == "centre" else main
    assert program([*call, "--lang", "zh"]) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert "→" in error.splitlines()[0]


@pytest.mark.parametrize("do", ["fetch", "bench"])
@pytest.mark.parametrize("name", ["nothing", "nowhere.toml"])
def test_a_model_that_is_none_is_answered_with_those_there_are(
    do: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", do, name, "--folder", ".", "--lang", "en"]) == 2
    there = ", ".join(names())
    assert capsys.readouterr().err == f"gatehouse: there is no model {name} → the models are: {there}\n"


def test_the_cure_of_a_file_that_may_not_be_read_is_chinese_too() -> None:
    assert COMPLAINTS.both(permissions(Path("/x"))).zh.startswith("请确认 /x 属于 gatehouse")


def test_a_sentence_within_a_sentence_is_chinese_too() -> None:
    assert COMPLAINTS.both("gate: got no key within 120 s: no answer").zh == "gate：120 秒内未能设置密钥：没有应答"
    assert COMPLAINTS.both("the order is not base64url").zh == "指令不是 base64url"
    assert COMPLAINTS.both("gh-1 reader-north: fault no answer").zh == "gh-1 reader-north：故障，没有应答"
    assert COMPLAINTS.both("for_s: Input should be greater than or equal to 1").zh == "for_s：须不小于 1"
    assert COMPLAINTS.both("bus rs485 is down: no answer").zh == "总线 rs485 中断：没有应答"
