"""NanoDet on a real clip with both runtimes, and the arithmetic around it on numbers."""

from functools import cache

import cv2
import numpy as np
import pytest

from drivers.base import ConfigError
from models import runtime
from models.boxes import suppress
from models.card import load, read_model
from models.detector import Detector, Picture, input_shape, letterbox, overlap
from simulators.clips import fetch_bikes
from tests.conftest import need

RUNTIMES = ["litert", "tflite-runtime"]


@cache
def frame(number: int) -> Picture:
    capture = cv2.VideoCapture(str(fetch_bikes()))
    try:
        for _ in range(number):
            capture.grab()
        good, picture = capture.read()
    finally:
        capture.release()
    assert good
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("model", ["nanodet-416-fp16", "nanodet-416-int8"])
def test_the_cyclist_is_found(model: str, name: str) -> None:
    need(name in runtime.installed(), name)
    detector = Detector(load(model), pictures=[(272, 640)], runtime=name)
    assert (detector.height, detector.width, detector.runtime) == (192, 416, name)
    seen = detector.detect(frame(120), 0.4)
    best = next(d for d in seen if d.box[3] - d.box[1] > 200)
    assert best.label == "person"
    expected = np.array([[346, 8, 481, 272]], np.float32)
    assert overlap(np.array([best.box], np.float32), expected)[0, 0] > 0.9
    assert [d.score for d in seen] == sorted((d.score for d in seen), reverse=True)


def test_one_interpreter_serves_pictures_of_two_shapes() -> None:
    detector = Detector(load("nanodet-416-fp16"), pictures=[(272, 640), (480, 640)])
    assert (detector.height, detector.width) == (320, 416)
    tall = np.zeros((480, 640, 3), np.uint8)
    tall[100:372] = frame(120)
    for picture, down in ((frame(120), 0), (tall, 100)):
        box = detector.detect(picture, 0.6)[0].box
        assert abs(box[1] - 8 - down) < 12
        assert abs(box[3] - 272 - down) < 12


def test_a_grey_picture_holds_nothing() -> None:
    detector = Detector(load("nanodet-416-fp16"), pictures=[(272, 640)])
    assert detector.detect(np.full((272, 640, 3), 114, np.uint8), 0.3) == []


def test_a_missing_runtime_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_MODULES", {"litert": "no_such_module", "tflite-runtime": "no_such_module"})
    for asked in ("auto", "litert", "tflite-runtime"):
        with pytest.raises(ConfigError) as raised:
            Detector(load("nanodet-416-fp16"), pictures=[(272, 640)], runtime=asked)
        assert "pip install" in raised.value.hint
    assert runtime.installed() == []


def test_a_file_without_the_feature_maps_of_its_card_is_refused() -> None:
    content = read_model(load("nanodet-416-fp16"))
    with pytest.raises(ConfigError, match="feature maps"):
        runtime.cut_to(content, 1024, (8,), height=320, width=416)


@pytest.mark.parametrize("size", [208, 640, 832])
def test_a_file_of_another_size_is_cut_like_this_one(size: int) -> None:
    """Half of it is the size one map has when another is cut to it."""
    content, strides = read_model(load("nanodet-416-fp16")), (8, 16, 32)
    other = runtime.cut_to(content, 416, strides, size, size)
    for height, width in ((320, 320), (416, 416), (240, 320)):
        once = content if height == 416 else runtime.cut_to(content, 416, strides, height, width)
        assert runtime.cut_to(other, size, strides, height, width) == once


@pytest.mark.parametrize(
    ("pictures", "shape"),
    [
        ([(272, 640)], (192, 416)),
        ([(480, 640)], (320, 416)),
        ([(640, 480)], (416, 320)),
        ([(1080, 1920), (480, 640)], (320, 416)),
        ([(640, 640)], (416, 416)),
        ([(360, 640)], (240, 416)),
    ],
)
def test_the_input_is_cut_to_the_pictures(pictures: list[tuple[int, int]], shape: tuple[int, int]) -> None:
    assert input_shape(416, pictures) == shape


def test_letterbox_puts_the_picture_top_left() -> None:
    canvas, scale = letterbox(np.full((100, 400, 3), 7, np.uint8), 192, 416)
    assert scale == pytest.approx(1.04)
    assert (canvas[:104] == 7).all()
    assert (canvas[104:] == 114).all()


@pytest.mark.parametrize("shape", [(1296, 1, 3), (1, 1296, 3)])
def test_a_sliver_of_a_picture_is_still_one(shape: tuple[int, int, int]) -> None:
    """The half of a person of whom the edge of a large picture shows one column."""
    canvas, _ = letterbox(np.full(shape, 7, np.uint8), 192, 192)
    assert (canvas == 7).all(axis=2).sum() == 192


def test_doubles_of_one_class_become_one() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.7], np.float32)
    assert suppress(boxes, scores, np.array([0, 0, 1, 0]), 0.5) == [1, 3, 2]


def test_a_van_that_is_found_as_car_and_as_truck_is_one_vehicle(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(load("nanodet-416-fp16"), pictures=[(416, 416)])
    outputs = [np.zeros((1, (416 // stride) ** 2, width), np.float32) for width in (80, 44) for stride in (8, 16, 32)]
    for cell, coco, score in ((84, 2, 0.8), (85, 7, 0.7), (84 + 13, 0, 0.6)):  # car, truck, and a person before it
        outputs[2][0, cell, coco] = score
    monkeypatch.setattr(detector._network, "run", lambda _: outputs)
    seen = detector.detect(np.zeros((416, 416, 3), np.uint8), 0.4)
    assert [(found.label, round(found.score, 1)) for found in seen] == [("vehicle", 0.8), ("person", 0.6)]
