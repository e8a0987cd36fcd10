"""The process dies, or the disk fails, at every single call by which the journal changes its files."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import need

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def disk_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim, to be preloaded."""
    need(shutil.which("cc"), "a C compiler (cc)")
    built = tmp_path_factory.mktemp("shim") / "disk_shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", built, ROOT / "tests/disk_shim/shim.c"], check=True)
    return built


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("story", "fault", "step"),
    [
        pytest.param("journal", 0, 1, id="the process dies between every two steps"),
        pytest.param("journal", errno.EIO, 9, id="the disk fails once"),
        pytest.param("journal", errno.ENOSPC, 13, id="the disk is full for a moment"),
        pytest.param("damaged", 0, 1, id="the process dies while a damaged file is set aside"),
        pytest.param("damaged", errno.EIO, 7, id="the disk fails while a damaged file is set aside"),
    ],
)
def test_nothing_promised_is_lost_whichever_step_is_the_last(
    disk_shim: Path, tmp_path: Path, story: str, fault: int, step: int
) -> None:
    command = [sys.executable, "-m", "tests.disk_shim.lives", story, str(tmp_path), str(fault), str(step)]
    environment = {**os.environ, "LD_PRELOAD": str(disk_shim)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    calls = int(done.stdout.split()[0])
    assert calls > (200 if story == "journal" else 40), "the shim has not seen them"
