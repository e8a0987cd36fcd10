"""`gatehouse simulate` when the compound does not come up."""

import argparse
from pathlib import Path

import pytest

from simulators import __main__ as program
from simulators.agent_process import AgentProcess, AgentTrouble


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
