"""On real faces and real people: what could tell who it is, is not in the picture any more."""

from functools import cache

import cv2
import numpy as np
import pytest

from agent.vision.blur import Box, Detect, hide_people
from models.card import FACES, find, load
from models.detector import Detector, Picture
from simulators.clips import fetch_portrait
from tests.bench.detection import SAMPLES, labelled
from tests.conftest import need
from tests.models.fetched import with_faces
from tests.models.test_detector import frame

SURE = 0.5


@cache
def people(height: int, width: int) -> Detector:
    return Detector(load("nanodet-416-fp16"), pictures=[(height, width)])


@cache
def faces() -> Detector:
    model = find(FACES, with_faces())
    return Detector(model.card, pictures=[], folder=model.folder)


def portrait(face_px: int) -> tuple[Picture, Box]:
    """The astronaut in a camera's picture, her face so high; and where it is."""
    picture = cv2.imread(str(fetch_portrait()))
    assert picture is not None
    found = max(faces().detect(np.asarray(picture, np.uint8), SURE), key=lambda seen: seen.score).box
    scale = face_px / (found[3] - found[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small[:480, :640]
    canvas = np.full((480, 640, 3), 90, np.uint8)
    top, left = 480 - small.shape[0], (640 - small.shape[1]) // 2
    canvas[top:, left : left + small.shape[1]] = small
    x1, y1, x2, y2 = (side * scale for side in found)
    return canvas, (x1 + left, y1 + top, x2 + left, y2 + top)


def inside(picture: Picture, box: Box) -> Picture:
    left, top, right, bottom = (round(side) for side in box)
    return picture[top:bottom, left:right]


def detail(picture: Picture) -> float:
    """Energy of what is finer than a quarter of it: eyes, brows, mouth."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    coarse = cv2.resize(cv2.resize(grey, (4, 4), interpolation=cv2.INTER_AREA), grey.shape[::-1])
    return float(np.abs(grey - coarse).mean())


def sees_a_face(picture: Picture, box: Box, detect: Detect) -> bool:
    """Whether the model finds a face there, in the whole picture or looking closely."""
    x, y, side = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[3] - box[1])
    close = inside(picture, (max(0, x - side * 1.5), max(0, y - side * 1.5), x + side * 1.5, y + side * 1.5))
    near = [
        seen.box
        for seen in detect(picture, SURE)
        if seen.box[0] <= x <= seen.box[2] and seen.box[1] <= y <= seen.box[3]
    ]
    return bool(near) or bool(detect(np.asarray(cv2.resize(close, (192, 192)), np.uint8), SURE))


@pytest.mark.parametrize("face_px", [90, 60, 40, 28, 20])
def test_a_real_face_is_gone_at_every_size(face_px: int) -> None:
    picture, face = portrait(face_px)
    assert sees_a_face(picture, face, faces().detect), "the test would prove nothing"
    before = picture.copy()
    hidden = hide_people(picture, people(480, 640).detect, faces().detect)
    assert (picture == before).all(), "the picture that is given is left alone"
    assert not hidden.whole
    assert hidden.faces >= 1
    assert not sees_a_face(hidden.picture, face, faces().detect)
    assert detail(inside(hidden.picture, face)) < 0.35 * detail(inside(picture, face))


@pytest.mark.parametrize("face_px", [90, 40])
def test_without_the_model_for_faces_the_whole_person_is_blurred(face_px: int) -> None:
    picture, face = portrait(face_px)
    hidden = hide_people(picture, people(480, 640).detect, None)
    assert hidden.whole
    assert hidden.persons >= 1
    assert not sees_a_face(hidden.picture, face, faces().detect)
    assert detail(inside(hidden.picture, face)) < 0.35 * detail(inside(picture, face))


@pytest.mark.parametrize("model", [True, False], ids=["faces", "whole"])
def test_the_cyclist_of_the_clip_cannot_be_told(model: bool) -> None:
    picture, face = frame(120), (408.0, 20.0, 446.0, 58.0)
    assert sees_a_face(picture, face, faces().detect)
    hidden = hide_people(picture, people(272, 640).detect, faces().detect if model else None)
    assert not sees_a_face(hidden.picture, face, faces().detect)
    assert (hidden.picture[200:, :300] == picture[200:, :300]).mean() > 0.9, "the street is still to be seen"


def test_a_person_without_a_face_loses_the_upper_third() -> None:
    """Seen from behind, or too far away for the model."""
    picture = frame(120)
    hidden = hide_people(picture, people(272, 640).detect, lambda *_: [])
    head = (390.0, 12.0, 440.0, 80.0)
    assert hidden.faces == 0
    assert detail(inside(hidden.picture, head)) < 0.35 * detail(inside(picture, head))


def test_an_empty_picture_stays_as_it_is() -> None:
    grey = np.full((272, 640, 3), 114, np.uint8)
    hidden = hide_people(grey, people(272, 640).detect, lambda *_: [])
    assert (hidden.picture == grey).all()


def roughness(picture: Picture) -> float:
    """How much neighbouring pixels differ."""
    values = picture.astype(np.float32)
    return float(np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean())


@pytest.mark.parametrize("model", [True, False], ids=["faces", "whole"])
def test_heads_of_people_in_clips_and_stills_are_blurred(model: bool) -> None:
    """Of all labelled persons, from 34 pixels high on, behind signs and at the picture's edge too; 65 of
    69 when this was written.
    """
    need(SAMPLES.is_dir(), "Debian's opencv-doc")
    blurred = count = 0
    for one in labelled():
        height, width = one.picture.shape[:2]
        hidden = hide_people(one.picture, people(height, width).detect, faces().detect if model else None).picture
        for left, top, right, bottom in one.boxes["person"].tolist():
            quarter, high = (right - left) / 4, max(6.0, (bottom - top) / 6)
            head = (left + quarter, top + 1, right - quarter, top + high)
            count += 1
            blurred += roughness(inside(hidden, head)) < 0.6 * roughness(inside(one.picture, head))
    assert count > 60
    assert blurred / count > 0.9
