"""The wheel, alone in an environment of its own, run from another folder (`make test` builds and installs it)."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import need

Run = Callable[..., subprocess.CompletedProcess[str]]
BARE = Path(__file__).parents[2] / ".venv" / "bare" / "bin"


@pytest.fixture
def gatehouse(tmp_path: Path) -> Run:
    need((BARE / "gatehouse").exists(), "the wheel in .venv/bare (make wheel)")
    bare = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BARE / "gatehouse", *arguments], cwd=tmp_path, env=bare, capture_output=True, text=True, timeout=100
        )

    return run


def _installed(name: str) -> str:
    """A data file of the installed wheel."""
    return subprocess.run(
        [BARE / "python", "-c", f"import config, os; print(os.path.join(os.path.dirname(config.__file__), {name!r}))"],
        cwd="/", capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip


def test_wheel_checks_its_example(gatehouse: Run) -> None:
    done = gatehouse("check", _installed("example.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ".venv/bare" in _installed("example.toml")


def test_wheel_plays_a_scenario(gatehouse: Run) -> None:
    done = gatehouse("simulate", _installed("simulated.toml"), "smoke")
    assert done.returncode == 0, done.stdout + done.stderr


def test_wheel_verifies_its_models(gatehouse: Run) -> None:
    done = gatehouse("models", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified" in done.stdout
