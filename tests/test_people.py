"""Gatehouse says that somebody is there, never who: nothing it offers recognises, compares or listens."""

import re
from collections.abc import Iterator
from pathlib import Path

from agent.contract import Suffix
from agent.events import Kind
from agent.observations import Label
from agent.settings import schema_text
from agent.vision.wire import FrameType
from models.card import load, names

ROOT = Path(__file__).parents[1]
HOUSES = ("agent", "drivers", "models", "config", "systemd")
FORBIDDEN = re.compile(
    r"recogni[sz]|embedding|face_?(id|print|vector|template|match|compare|encod)|facenet|arcface|landmark|biometric"
    r"|re_?id(?![a-z])|identify_person|(licen[cs]e|number|car)_?plate|\banpr\b|\balpr\b|\blpr\b|\bocr\b"
    r"|audio|microphone|speech|voice|sound_?(level|capture|record)|gait|emotion|\bage_?group|gender|ethnic",
    re.IGNORECASE,
)
NAME = re.compile(r"(?:def|class|import|from)\s+([\w.]+)|^\s*([A-Za-z_]\w*)\s*[:=]", re.MULTILINE)


def public() -> Iterator[tuple[str, str]]:
    """(where, name) of modules, functions, classes, attributes, settings, events, topics, frames and labels."""
    for house in HOUSES:
        for path in sorted((ROOT / house).rglob("*.py")):
            if "build" in path.parts:
                continue
            where = str(path.relative_to(ROOT))
            yield where, where
            for found in NAME.finditer(path.read_text("utf-8")):
                yield where, found[1] or found[2]
    for key in re.findall(r'"([\w.-]+)"\s*:', schema_text()):
        yield "settings", key
    for enum in (Kind, Suffix, Label):
        for value in enum:
            yield enum.__name__, value.value
    for frame in FrameType:
        yield "wire", frame.name
    for name in names():
        for label in load(name).labels.values():
            yield f"{name}.toml", label


def test_nothing_offers_to_recognise_to_compare_or_to_listen() -> None:
    found = [(where, name) for where, name in public() if FORBIDDEN.search(name)]
    assert found == []


def test_the_search_would_find_such_interfaces() -> None:
    for name in ("recognise_face", "FaceEmbedding", "number_plate", "read_anpr anpr", "audio_level", "face_id", "reid"):
        assert FORBIDDEN.search(name), name
    for name in ("Faces", "hide_people", "reader_id", "template", "placed", "coverage", "page", "pages"):
        assert not FORBIDDEN.search(name), name
    assert sum(1 for _ in public()) > 3000


def test_what_is_seen_has_no_word_for_a_person_but_person() -> None:
    assert {label.value for label in Label} == {"person", "vehicle", "bicycle", "animal"}
