"""A model file is the one its card names, or the message says which command cures it."""

import hashlib
import shutil
from pathlib import Path
from typing import get_args

import pytest

from agent.observations import Label
from drivers.base import ConfigError
from models import card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("nanodet-416-fp16.toml", "nanodet_416_fp16.tflite"):
        shutil.copy(card.FOLDER / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["nanodet-416-fp16", "nanodet-416-int8"])
def test_each_shipped_file_is_the_one_of_its_card(name: str) -> None:
    assert card.verify(card.load(name)).is_file()
    assert name in card.names()


def test_an_altered_byte_is_found_and_both_hashes_are_named(folder: Path) -> None:
    found = card.load("nanodet-416-fp16", folder)
    path = folder / found.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        card.verify(found, folder)
    assert str(path) in str(raised.value)
    assert found.sha256 in str(raised.value)
    assert hashlib.sha256(content).hexdigest() in str(raised.value)
    assert "pip install --force-reinstall" in raised.value.hint


def test_a_missing_file_is_named_with_its_cure(folder: Path) -> None:
    found = card.load("nanodet-416-fp16", folder)
    (folder / found.file).unlink()
    with pytest.raises(ConfigError, match=found.sha256) as raised:
        card.verify(found, folder)
    assert str(folder / found.file) in str(raised.value)
    assert raised.value.hint


def test_an_unknown_model_names_those_that_are_there(folder: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        card.load("yolo", folder)
    assert "nanodet-416-fp16" in raised.value.hint


@pytest.mark.parametrize("text", ["not toml =", 'name = "half"\n'])
def test_a_damaged_card_is_a_configuration_error(folder: Path, text: str) -> None:
    (folder / "nanodet-416-fp16.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"nanodet-416-fp16\.toml"):
        card.load("nanodet-416-fp16", folder)


def test_the_cure_in_a_checkout_is_a_checkout(folder: Path) -> None:
    models = folder / "models"
    models.mkdir()
    (folder / ".git").mkdir()
    shutil.copy(folder / "nanodet-416-fp16.toml", models)
    with pytest.raises(ConfigError) as raised:
        card.verify(card.load("nanodet-416-fp16", models), models)
    assert raised.value.hint.startswith("run: git -C")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ('0 = "car"', "labels.0: Input should be 'person', 'bicycle', 'vehicle', 'animal' or 'face'"),
        ('80 = "person"', "labels: there is no class 80 of 80, which are counted from 0"),
        ('-1 = "person"', "labels.-1"),
        ('0 = "face"', "labels: mediapipe-faces finds faces, and no other decoder does"),
    ],
)
def test_a_card_whose_labels_would_end_the_process_at_the_first_car_is_refused(
    folder: Path, written: str, reason: str
) -> None:
    path = folder / "nanodet-416-fp16.toml"
    path.write_text(path.read_text("utf-8").replace('\n0 = "person"\n', f"\n{written}\n", 1))
    with pytest.raises(ConfigError) as raised:
        card.load("nanodet-416-fp16", folder)
    assert reason in str(raised.value)


def test_the_words_of_cards_are_those_of_rules_and_faces() -> None:
    assert set(get_args(card.Word)) == {*Label, "face"}
