"""One agent a gateway, whatever the run folder is like."""

import os
from pathlib import Path

import pytest

from agent.instance import AlreadyRunningError, sole_agent


def test_second_is_told_who_runs_until_the_first_has_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with sole_agent(tmp_path / "run"), pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}\)"):
            sole_agent(tmp_path / "run").__enter__()


def test_doors_work_without_a_run_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").write_text("in the way")
    with sole_agent(tmp_path / "run"):
        assert "correct run.folder" in caplog.text
