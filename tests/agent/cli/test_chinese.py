"""Help and complaints of the command line in a Chinese terminal: every sentence of every command."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.cli import FAMILIES, command_line
from agent.cli.chinese import HELP
from agent.cli.parser import Parser
from simulators.__main__ import command_line as simulators

ARGPARSE = re.compile(r"argument|required|choose|choice|invalid|expected|unrecognized|ambiguous|error|usage")


def sentences(parser: argparse.ArgumentParser) -> Iterator[str]:
    """All that its help says, and that of its subcommands."""
    yield from filter(None, (parser.description, parser.epilog))
    for group in parser._action_groups:
        yield from filter(None, (group.title, group.description))
    for action in parser._actions:
        yield from filter(None, (action.help,))
        if isinstance(action, argparse._SubParsersAction):
            yield from (choice.help or "" for choice in action._choices_actions)
            for command in action.choices.values():
                yield from sentences(command)


def english_only(parser: argparse.ArgumentParser) -> set[str]:
    return {sentence for sentence in sentences(parser) if not re.search("[一-鿿]", HELP.both(sentence).zh)}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_sentence_of_the_commands_has_its_chinese(family: str) -> None:
    parser = command_line(family)
    assert set(sentences(parser)) > set(sentences(command_line("")))
    assert english_only(parser) == set()


def test_every_sentence_of_the_simulators_has_its_chinese() -> None:
    assert english_only(simulators()) == set()


def test_a_sentence_without_chinese_is_found_and_shown_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    parser = Parser(prog="p")
    parser.add_subparsers().add_parser("do", help="do").add_argument("--new", help="a new option")
    assert english_only(parser) == {"do", "a new option"}
    assert "do" in parser.format_help()


def in_chinese(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments],
        env={**os.environ, "LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8", "COLUMNS": "60"},
        capture_output=True, encoding="utf-8", timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((), "safe-outputs"),
        (("doctor",), "检查本机：什么正常、什么不正常、怎么处理"),
        (("card", "add"), "物业的住户或人员编号"),
        (("centre",), "操作员密钥"),
    ],
)
def test_help_is_chinese_where_the_terminal_is_and_no_wider(command: tuple[str, ...], said: str) -> None:
    done = in_chinese(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("用法：gatehouse")
    assert said in done.stdout
    assert not ARGPARSE.search(done.stdout.replace("COMMAND", ""))
    assert max(len(line.encode("gb18030")) for line in done.stdout.splitlines()) <= 60


def test_help_is_english_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    said = command_line("").format_help()
    assert "usage: gatehouse" in said
    assert not re.search("[一-鿿]", said)


@pytest.mark.parametrize(
    "call",
    [
        ("check", "a", "b"), ("reader",), ("reader", "x"), ("journal", "tail", "-n", "x"), ("journal", "tail", "-n"),
        ("journal", "tail", "--lane", "x"), ("snapshots",), ("card", "add", "x", "--pin=1"),
        ("card", "add", "x", "--e"), ("card", "nothing"), ("nothing",),
    ],
)  # fmt: skip
def test_a_wrong_call_is_named_in_chinese(
    call: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(SystemExit) as ended:
        command_line(call[0]).parse_args(call)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("用法：gatehouse")
    assert "错误：" in said
    assert not ARGPARSE.search(said)


def test_the_running_agent_loads_none_of_it() -> None:
    parse = "from agent.cli import command_line; command_line('run').parse_args(['run'])"
    code = f"import sys; {parse}; print('agent.cli.chinese' in sys.modules)"
    environment = {**os.environ, "LC_ALL": "zh_CN.UTF-8"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
