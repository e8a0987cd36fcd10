"""An answer ends well in any terminal and in any pipe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "config/example.toml"
CHECK = (sys.executable, "-m", "agent.cli", "check", str(EXAMPLE), "--lang", "zh")


@pytest.mark.parametrize(("encoding", "said"), [("gbk", "? 配置正确，可以运行。"), ("ascii", "? ?????????")])
def test_what_a_terminal_cannot_show_is_no_error(encoding: str, said: str) -> None:
    done = subprocess.run(
        CHECK, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, timeout=60, check=True
    )
    assert said in done.stdout.decode(encoding)
    assert done.stderr == b""


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(CHECK, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
