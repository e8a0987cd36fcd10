"""`gatehouse simulate` and `gatehouse centre` when what they need does not come up."""

import argparse
from pathlib import Path

import pytest

from simulators import __main__ as program
from simulators.agent_process import AgentProcess, AgentTrouble
from simulators.centre import Centre


async def test_an_agent_that_ends_at_once_says_why(tmp_path: Path) -> None:
    with pytest.raises(AgentTrouble, match=r"ended with 2:\n.*nowhere\.toml"):
        async with AgentProcess(tmp_path / "nowhere.toml", tmp_path / "agent.log"):
            pass


def test_what_does_not_come_up_is_said_in_words_and_the_logs_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Path] = []

    async def simulate(_options: argparse.Namespace, folder: Path) -> bool:
        kept.append(folder)
        raise AgentTrouble("not every device came up: reader-north: no answer")

    monkeypatch.setattr(program, "_simulate", simulate)
    assert program.main(["demo"]) == 1
    said = capsys.readouterr().err
    assert "reader-north: no answer" in said
    assert str(kept[0]) in said
    assert "Traceback" not in said
    kept[0].rmdir()


def test_a_centre_without_its_broker_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def alone(_centre: Centre) -> Centre:
        raise TimeoutError

    monkeypatch.setattr(Centre, "__aenter__", alone)
    assert program.main(["centre", "--broker", "mqtt://127.0.0.1:1", "--lang", "en"]) == 1
    said, folder, *rest = capsys.readouterr().err.splitlines()
    assert (said, rest) == (
        "gatehouse: mqtt://127.0.0.1:1: no answer within 10 s → is the broker running, and is the port right?",
        [],
    )
    Path(folder.rpartition(" ")[2]).rmdir()


@pytest.mark.parametrize("count", ["0", "-3", "many", "9999999"])
def test_a_number_of_gateways_that_is_none_is_said_in_words(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["fleet", f"--gateways={count}"])
    assert "argument --gateways: 1 to 29970 gateways" in capsys.readouterr().err
