"""`gatehouse keys` and `gatehouse audit`: from two roots to a key set a gateway takes, and the record proven."""

from pathlib import Path

import pytest

from agent.audit import AuditLog
from agent.cli import main
from agent.commands.signing import read_private
from agent.commands.trust import Trust
from agent.contract.commands import Role
from agent.contract.jws import kid_of
from agent.doctor import Level, files
from agent.settings import load
from drivers.base import ConfigError
from tests.clock import ManualClock

SIMULATED = Path(__file__).parents[3] / "config" / "simulated.toml"


def gatehouse(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_key_set_signed_by_a_root_is_what_a_gateway_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, duty, out = tmp_path / "root-a.key", tmp_path / "duty.key", tmp_path / "keys-1.jws"
    assert gatehouse("keys", "new", root, "--plain") == 0
    assert gatehouse("keys", "new", duty, "--plain") == 0
    assert root.stat().st_mode & 0o077 == 0
    assert gatehouse("keys", "new", root, "--plain") == 2, "a key is never written over"
    key = f"区值班台={tmp_path / 'duty.pub'}=unlock,handle"
    assert gatehouse("keys", "sign", "--root", root, "--version", 1, "--out", out, "--key", key) == 0
    capsys.readouterr()
    assert gatehouse("keys", "show", out, "--root", tmp_path / "root-a.pub", "--lang", "zh") == 0
    said = capsys.readouterr().out
    kid = kid_of(read_private(duty).public_key())
    assert f"{kid}  区值班台: unlock, handle" in said
    assert "已由该根密钥签名" in said

    trust = Trust.open((tmp_path / "root-a.pub",), tmp_path / "kept.jws")
    trust.use(out.read_bytes(), trust.check(out.read_bytes()))
    assert trust.signer(kid).roles == {Role.UNLOCK, Role.HANDLE}
    assert gatehouse("keys", "show", out, "--root", tmp_path / "duty.pub") == 2, "of another key it proves nothing"


@pytest.mark.parametrize("key", ["nonsense", "a=missing.pub=unlock", "a={pub}=open-everything", "={pub}=unlock"])
def test_a_key_that_cannot_stand_in_a_set_is_named(
    tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root.key"
    gatehouse("keys", "new", root, "--plain")
    given = key.format(pub=tmp_path / "root.pub")
    out = tmp_path / "out.jws"
    assert gatehouse("keys", "sign", "--root", root, "--version", 1, "--out", out, "--key", given) == 2
    assert "→" in capsys.readouterr().err
    assert not out.exists()


def test_the_doctor_names_a_root_that_cannot_be_used(tmp_path: Path) -> None:
    gatehouse("keys", "new", tmp_path / "root.key", "--plain")
    roots = (tmp_path / "root.pub", tmp_path / "missing.pub")
    settings = load(SIMULATED)
    given = settings.model_copy(update={"commands": settings.commands.model_copy(update={"roots": roots})})
    good, missing = files.roots(given)
    assert (good.level, missing.level) == (Level.OK, Level.BAD)
    assert "missing.pub" in missing.what.zh


def test_a_passphrase_guards_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    monkeypatch.setattr("sys.stdin", StringIO("long and secret\n"))
    gatehouse("keys", "new", tmp_path / "root.key")
    assert b"ENCRYPTED" in (tmp_path / "root.key").read_bytes()
    read_private(tmp_path / "root.key", b"long and secret")
    for wrong in (b"", b"guessed"):
        with pytest.raises(ConfigError):
            read_private(tmp_path / "root.key", wrong)


def test_the_record_is_shown_and_a_changed_one_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(tmp_path / "audit.log", ManualClock())
    log.append("duty desk", "command", verb="unlock")
    log.append("duty desk", "command.ended", outcome="done")
    assert gatehouse("audit", "verify", "--log", log.path) == 0
    assert log.verify().chain in capsys.readouterr().out
    assert gatehouse("audit", "show", "--log", log.path, "--last", 1) == 0
    shown = capsys.readouterr().out
    assert "command.ended" in shown
    assert "unlock" not in shown
    log.path.write_bytes(log.path.read_bytes().replace(b"unlock", b"lock"))
    assert gatehouse("audit", "verify", "--log", log.path) == 1
