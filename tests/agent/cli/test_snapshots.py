"""`gatehouse snapshots`: what is kept is listed, and nobody looks without leaving a record."""

from pathlib import Path

import pytest

from agent.audit import AUDIT_FILE, AuditLog
from agent.cli import main
from agent.pictures import store_of
from agent.settings import load
from agent.snapshot_store import lasting
from agent.timekeeper import boot_id
from drivers.base import SystemClock
from tests.agent.house import TABLE

JPEG = b"\xff\xd8\xff a street \xff\xd9"
FILE = f"""{TABLE}
[centre]
broker = "mqtt://127.0.0.1:1883"

[storage]
folder = "state"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compound's file, with a picture that is listed and one of something silent."""
    path = tmp_path / "site.toml"
    path.write_text(FILE)
    clock = SystemClock()
    store = store_of(load(path), clock, boot_id())
    for name, hidden in (("a1", False), ("b2", True)):
        store.put(lasting(name, "cam-lane", clock, boot_id(), 3600, hidden=hidden), JPEG)
    monkeypatch.chdir(tmp_path)
    return path


def call(site: Path, *words: str) -> int:
    return main(["snapshots", *words, "--file", str(site), "--lang", "en"])


def looks(site: Path) -> list[tuple[str, str, object, object]]:
    log = AuditLog(site.parent / "state" / AUDIT_FILE, SystemClock())
    log.verify()
    return [(r.who, r.what, r.facts.get("snapshot"), r.facts.get("reason")) for r in log.records()]


def test_what_is_kept_is_listed_but_nothing_silent(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(site, "list") == 0
    out = capsys.readouterr().out
    assert "a1" in out
    assert "cam-lane" in out
    assert "b2" not in out
    assert "1 pictures" in out
    assert looks(site) == []


def test_a_look_is_recorded_with_name_and_reason(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(site, "show", "a1", "--as", "Officer Wang", "--reason", "break-in at building 2") == 0
    shown = site.parent / "a1.jpg"
    assert shown.read_bytes() == JPEG
    assert shown.stat().st_mode & 0o777 == 0o600
    assert looks(site) == [("Officer Wang", "snapshot.shown", "a1", "break-in at building 2")]
    assert "shred -u" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--as", " ", "--reason", "x"], ["--as", "Wang", "--reason", ""]])
def test_nobody_looks_without_a_name_and_a_reason(site: Path, words: list[str]) -> None:
    assert call(site, "show", "a1", *words) == 2
    assert not (site.parent / "a1.jpg").exists()
    with pytest.raises(SystemExit):
        call(site, "show", "a1")


def test_where_the_look_cannot_be_recorded_nothing_is_shown(site: Path) -> None:
    (site.parent / "state" / AUDIT_FILE).write_bytes(b"no record\n")
    assert call(site, "show", "a1", "--as", "Wang", "--reason", "x") == 1
    assert not (site.parent / "a1.jpg").exists()


def test_a_picture_that_is_gone_is_said_and_no_file_is_overwritten(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(site, "show", "c3", "--as", "Wang", "--reason", "x") == 1
    assert "is gone" in capsys.readouterr().err
    (site.parent / "a1.jpg").write_text("mine")
    assert call(site, "show", "a1", "--as", "Wang", "--reason", "x") == 2
    assert (site.parent / "a1.jpg").read_text() == "mine"
