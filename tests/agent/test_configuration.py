"""A configuration of the centre: tried, kept or given up, and at every step of it a power cut leaves one that runs."""

from pathlib import Path

import pytest

from agent.cli import main
from agent.configuration import FOLDER, MAX_STARTS, Configuration, RejectionError, in_force
from agent.files import write_whole
from drivers.base import Clock, ConfigError
from tests.agent.house import TABLE

OWN = f"""{TABLE}
[centre]
broker = "mqtt://127.0.0.1:1883"
heartbeat_s = 60

[storage]
folder = "state"

[run]
folder = "run"
"""
NEW = OWN.replace("heartbeat_s = 60", "heartbeat_s = 10")
NEWER = OWN.replace("heartbeat_s = 60", "heartbeat_s = 20")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "compound.toml"
    path.write_text(OWN)
    return path


def propose(file: Path, text: str = NEW) -> None:
    Configuration.read(file).propose(text, "a-1", "duty desk", 60)


def beats(file: Path) -> float:
    return in_force(file).centre.heartbeat_s


def test_one_that_reached_the_centre_is_kept_and_the_next_one_stands_on_it(file: Path) -> None:
    propose(file)
    running = Configuration.begin(file)
    assert running.settings.centre.heartbeat_s == 10
    running.keep()
    assert (beats(file), Configuration.read(file).trial) == (10, None)
    propose(file, NEWER)
    again = Configuration.begin(file)
    assert again.settings.centre.heartbeat_s == 20
    again.roll_back("not reached")
    assert beats(file) == again.settings.centre.heartbeat_s == 10
    ended = Configuration.begin(file).ended
    assert ended is not None
    assert (ended.order, ended.reason) == ("a-1", "not reached")


def test_of_those_that_are_given_up_only_the_last_stays_on_the_disk(file: Path) -> None:
    propose(file)
    Configuration.begin(file).keep()
    for beat in range(11, 20):
        propose(file, OWN.replace("heartbeat_s = 60", f"heartbeat_s = {beat}"))
        Configuration.begin(file).roll_back("not reached")
    assert beats(file) == 10
    assert len(list((file.parent / "state" / FOLDER).glob("*.toml"))) == 2


def test_one_that_never_gets_so_far_is_given_up_after_three_starts(file: Path) -> None:
    propose(file)
    assert [Configuration.begin(file).settings.centre.heartbeat_s for _ in range(MAX_STARTS)] == [10] * MAX_STARTS
    last = Configuration.begin(file)
    assert (last.settings.centre.heartbeat_s, last.trial) == (60, None)
    assert last.ended is not None


def test_what_is_changed_on_site_stands_above_what_was_sent(file: Path) -> None:
    propose(file)
    Configuration.begin(file).keep()
    propose(file, NEWER)
    file.write_text(OWN.replace("heartbeat_s = 60", "heartbeat_s = 30"))
    found = Configuration.begin(file)
    assert (found.settings.centre.heartbeat_s, found.trial) == (30, None)
    assert found.ended is not None
    assert found.ended.reason == "the file was changed on site"


@pytest.mark.parametrize(("text", "reason"), [
    ("nonsense =", "file"),
    (OWN.replace("heartbeat_s = 60", "heartbeat_s = -1"), "centre.heartbeat_s"),
    (OWN.replace("gh-test01", "gh-other1"), "gateway.id"),
    (OWN.replace('"state"', '"elsewhere"'), "storage.folder"),
    (OWN + '\n[commands]\nroots = ["mine.pub"]\n', "commands.roots"),
    (OWN + '\n[access]\ncredentials_file = "all.json"\n', "access.credentials_file"),
    (OWN + '\n[privacy]\nkey_file = "other.key"\n', "privacy.key_file"),
    (OWN.replace("[storage]", 'username = "u"\npassword_file = "state/encryption.key"\n[storage]'),
     "centre.password_file"),
])  # fmt: skip
def test_one_that_is_wrong_or_takes_a_visit_is_not_even_tried(file: Path, text: str, reason: str) -> None:
    with pytest.raises(RejectionError, match=reason):
        propose(file, text)
    assert (beats(file), Configuration.read(file).trial) == (60, None)
    propose(file)
    with pytest.raises(RejectionError, match="on trial"):
        propose(file, NEWER)


def test_files_that_were_damaged_leave_the_last_one_that_can_be_read(file: Path) -> None:
    propose(file)
    Configuration.begin(file).keep()
    folder = file.parent / "state" / FOLDER
    (kept,) = folder.glob("*.toml")
    kept.write_text(NEWER)
    assert beats(file) == 60, "not what was kept: the installer's"
    (folder / "state.json").write_text("{")
    assert beats(file) == 60


class Cut(Exception):
    """The power fails."""


def lead_a_life(file: Path) -> None:
    """Every step there is: one is kept, the next one given up."""
    propose(file)
    Configuration.begin(file).keep()
    propose(file, NEWER)
    Configuration.begin(file).roll_back("not reached")
    Configuration.begin(file).told()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", range(1, 10))
def test_a_power_cut_at_any_write_leaves_a_good_one_in_force(
    file: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int, after: bool
) -> None:
    count = 0

    def failing(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == cut_at and not after:
            raise Cut
        write_whole(path, content)
        if count == cut_at:
            raise Cut

    monkeypatch.setattr("agent.configuration.write_whole", failing)
    with pytest.raises(Cut):
        lead_a_life(file)
    monkeypatch.undo()
    found = Configuration.begin(file)
    assert beats(file) in ((60, 10, 20) if found.trial else (60, 10))
    if found.trial is not None:
        found.roll_back("not reached")
    assert beats(file) in (60, 10)
    propose(file, NEWER)
    Configuration.begin(file).keep()
    assert beats(file) == 20


@pytest.mark.parametrize(("kept", "writable", "code"), [(False, True, 1), (False, False, 1), (True, True, 2)])
def test_only_a_configuration_that_stands_may_keep_the_service_from_starting_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, *, kept: bool, writable: bool, code: int
) -> None:
    """Exit code 2 tells it not to; one on trial is given up instead, at the next start if not now."""

    async def may_not_run(configuration: Configuration, _: Clock) -> int:
        if kept:
            configuration.keep()
        if not writable:
            monkeypatch.setattr("agent.configuration.write_whole", refuse)
        return 2

    monkeypatch.setattr("agent.app.run", may_not_run)
    propose(file)
    assert main(["run", str(file)]) == code


def refuse(*_: object) -> None:
    raise ConfigError("no space left", hint="")


def test_a_disk_that_refuses_leaves_the_order_refused_and_a_start_possible(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose(file)
    monkeypatch.setattr("agent.configuration.write_whole", refuse)
    assert Configuration.begin(file).settings.centre.heartbeat_s == 10
    with pytest.raises(ConfigError):
        Configuration.read(file).keep()
