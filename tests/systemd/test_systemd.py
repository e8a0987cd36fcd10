"""The unit is one that systemd accepts, and the install script does what it says, twice over."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.settings import load
from tests.conftest import need

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/gatehouse.service"
SCRIPT = ROOT / "systemd/install.sh"


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_unit_has_no_mistake_systemd_knows_of(tmp_path: Path) -> None:
    need(shutil.which("systemd-analyze"), "systemd")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/gatehouse/bin/gatehouse", "/bin/true"))
    done = run("systemd-analyze", "verify", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_unit_is_confined() -> None:
    need(shutil.which("systemd-analyze"), "systemd")
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=25", UNIT)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_unit_lets_the_agent_ask_whether_the_clock_is_synchronised() -> None:
    lines = UNIT.read_text().splitlines()
    assert "SystemCallFilter=adjtimex clock_adjtime" in lines
    assert not any(line.startswith(("ProtectClock", "ProcSubset")) for line in lines)


def test_script_is_clean() -> None:
    need(shutil.which("shellcheck"), "shellcheck")
    done = run("shellcheck", SCRIPT)
    assert done.returncode == 0, done.stdout


def test_staged_install_writes_everything_and_leads_on(tmp_path: Path) -> None:
    done = run(SCRIPT, "--root", tmp_path, "--no-venv")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --now gatehouse" in done.stdout
    assert load(tmp_path / "etc/gatehouse/compound.toml").gateway.id == "gh-7f3a09"
    assert (tmp_path / "etc/gatehouse/keys").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/systemd/system/gatehouse.service").read_text() == UNIT.read_text()
    assert (tmp_path / "etc/udev/rules.d/60-gatehouse.rules").is_file()
    assert (tmp_path / "usr/local/bin/gatehouse").readlink() == Path("/opt/gatehouse/bin/gatehouse")


def test_commands_by_hand_open_the_same_devices_as_the_service(tmp_path: Path) -> None:
    """With tools that only note what they are asked: no user of this machine is touched."""
    for tool in ("getent", "groupadd", "useradd", "usermod"):
        (tmp_path / tool).write_text(f'#!/bin/sh\necho "{tool} $*" >>{tmp_path}/notes\n')
        (tmp_path / tool).chmod(0o755)
    make_user = SCRIPT.read_text().partition("\nmake_user() {")[2].partition("\n}\n")[0]
    done = run("/bin/sh", "-euc", make_user, PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (said,) = [line.split("=")[1] for line in UNIT.read_text().splitlines() if line.startswith("SupplementaryGroups=")]
    assert f"usermod --append --groups {said.replace(' ', ',')} gatehouse" in (tmp_path / "notes").read_text()


def test_second_install_keeps_the_configuration_and_renews_the_unit(tmp_path: Path) -> None:
    assert run(SCRIPT, "--root", tmp_path, "--no-venv").returncode == 0
    config, unit = tmp_path / "etc/gatehouse/compound.toml", tmp_path / "etc/systemd/system/gatehouse.service"
    config.write_text("# mine\n")
    unit.write_text("old")
    done = run(SCRIPT, "--root", tmp_path, "--no-venv")
    assert done.returncode == 0, done.stderr
    assert f"kept {config}" in done.stdout
    assert config.read_text() == "# mine\n"
    assert unit.read_text() == UNIT.read_text()


def test_prefix_reaches_the_unit(tmp_path: Path) -> None:
    assert run(SCRIPT, "--root", tmp_path, "--no-venv", "--prefix", "/srv/gatehouse").returncode == 0
    text = (tmp_path / "etc/systemd/system/gatehouse.service").read_text()
    assert "ExecStart=/srv/gatehouse/bin/gatehouse run" in text
    assert "/opt/" not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prefix"], "--prefix needs a value"),
        (["--prefix", "here"], "not a whole path"),
        (["--prefix", "/a b"], "characters"),
        (["--fast"], "unknown option"),
        (["--python", "/nowhere/python3"], "/nowhere/python3 is not there"),
        (["--python", "/bin/false"], "older than 3.11"),
    ],
)
def test_wrong_call_is_one_line_and_a_cure(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(SCRIPT, "--root", tmp_path, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "cure: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_venv_module_is_answered_with_the_package(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    python.chmod(0o755)
    done = run(SCRIPT, "--root", tmp_path / "root", "--python", python)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_program_is_built_from_the_wheel_that_was_given(tmp_path: Path) -> None:
    """With a Python that only notes what it is asked: pip itself is not under test."""
    python, notes = tmp_path / "python3", tmp_path / "notes"
    python.write_text(
        f'#!/bin/sh\necho "$@" >>{notes}\n'
        f'[ "$2" != venv ] || {{ mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }}\n'
    )  # fmt: skip
    python.chmod(0o755)
    for _ in range(2):
        done = run(SCRIPT, "--root", tmp_path / "root", "--python", python, "--wheel", "/tmp/gatehouse_agent-1.whl")
        assert done.returncode == 0, done.stderr
    calls = notes.read_text().splitlines()
    assert sum(call.startswith("-m venv") for call in calls) == 1
    installs = [call for call in calls if "pip install" in call]
    assert len(installs) == 2
    assert all(call.endswith("/tmp/gatehouse_agent-1.whl") for call in installs)
