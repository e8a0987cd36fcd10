"""Each form of output on numbers worked out by hand, and on real models; a file that does not fit its card is named."""

import hashlib
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from drivers.base import ConfigError
from models import runtime
from models.boxes import overlap
from models.card import FACES, FOLDER, Faces, NanoDet, OutputSpec, SsdAnchors, SsdPostprocess, Yolo, find, load
from models.decoders import Found, decoder_of
from models.decoders.ssd_anchors import anchors
from models.detector import Detector
from tests.conftest import need
from tests.models.fetched import SSD, with_faces, with_ssd
from tests.models.test_detector import RUNTIMES, frame

WANTED = np.array([0, 2])


def decode(spec: OutputSpec, outputs: list[npt.NDArray[np.float32]], size: int = 64, score: float = 0.5) -> Found:
    decoder = decoder_of(spec, size, size, WANTED)
    for wanted, output in zip(decoder.shapes, outputs, strict=True):
        assert len(wanted) == output.ndim
        assert all(side in (0, there) for side, there in zip(wanted, output.shape, strict=True))
    return decoder.decode(outputs, score)


def demand(found: Found, box: list[float], score: float, place: int) -> None:
    assert found.boxes.tolist() == [pytest.approx(box, abs=1e-3)]
    assert found.scores.tolist() == [pytest.approx(score, abs=1e-3)]
    assert found.places.tolist() == [place]


def test_nanodet_measures_each_side_from_the_centre_of_the_cell() -> None:
    scores = np.zeros((1, 4, 3), np.float32)
    scores[0, 2] = [0.2, 0.99, 0.9]  # the surest class is none of those wanted
    distances = np.zeros((1, 4, 4, 3), np.float32)
    for side, bin_ in enumerate((0, 1, 1, 0)):
        distances[0, 2, side, bin_] = 50
    spec = NanoDet(decoder="nanodet", strides=(32,), bins=3, classes=3, nms_iou=0.5)
    demand(decode(spec, [scores, distances.reshape(1, 4, 12)]), [16, 16, 48, 48], 0.9, 1)


SSD_SPEC = SsdAnchors(
    decoder="ssd-anchors", strides=(32, 64), scales=(0.25, 0.5), ratios=(1.0, 2.0), classes=3, nms_iou=0.5
)  # fmt: skip


def test_ssd_boxes_are_relative_to_their_anchors() -> None:
    """Anchor 4 is that of the second cell with ratio 2: centre (48, 16), 64 * 0.25 * sqrt(2) wide."""
    boxes, logits = np.zeros((1, 15, 4), np.float32), np.full((1, 15, 3), -9, np.float32)
    wide, high = 16 * 2**0.5, 16 / 2**0.5
    boxes[0, 4] = [10, 0, 0, 5 * np.log(2)]  # down by its height, twice as wide
    logits[0, 4, 2] = np.log(0.8 / 0.2)
    middle = (48, 16 + high)
    box = [middle[0] - wide, middle[1] - high / 2, middle[0] + wide, middle[1] + high / 2]
    demand(decode(SSD_SPEC, [boxes, logits]), box, 0.8, 1)


def test_ssd_anchors_are_laid_out_layer_by_layer() -> None:
    found = anchors(SSD_SPEC, 64, 64)
    assert len(found) == 4 * 3 + 1 * 3
    assert found[0].tolist() == pytest.approx([16, 16, 6.4, 6.4]), "the reduced layer begins with a tenth"
    assert found[-1].tolist() == pytest.approx([32, 32, 64 * 0.5**0.5, 64 * 0.5**0.5]), "and the last ends between"
    real = load(SSD).output
    assert isinstance(real, SsdAnchors)
    assert len(anchors(real, 300, 300)) == 1917


@pytest.mark.parametrize("order", [("boxes", "classes", "scores", "count"), ("scores", "boxes", "count", "classes")])
def test_post_processed_ssd_gives_shares_of_the_input(order: tuple[str, ...]) -> None:
    named = {
        "boxes": np.array([[[0.25, 0.5, 0.75, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]], np.float32),
        "classes": np.array([[2, 1, 0, 0]], np.float32),
        "scores": np.array([[0.9, 0.8, 0.3, 0.7]], np.float32),
        "count": np.array([3], np.float32),
    }
    spec = SsdPostprocess.model_validate({"decoder": "ssd-postprocess", "outputs": order})
    demand(decode(spec, [named[name] for name in order]), [32, 16, 64, 48], 0.9, 1)


@pytest.mark.parametrize("unit", ["pixels", "share"])
@pytest.mark.parametrize("layout", ["v5", "v8"])
def test_yolo_boxes_are_centre_and_size(layout: str, unit: str) -> None:
    rows = np.zeros((6, 4 + (layout == "v5") + 3), np.float32)
    rows[3, :4] = np.array([32, 16, 16, 8]) / (64 if unit == "share" else 1)
    rows[3, -3:] = [0.1, 0.9, 0.8]
    if layout == "v5":
        rows[:, 4] = 0.75
    spec = Yolo.model_validate({"decoder": "yolo", "layout": layout, "unit": unit, "classes": 3, "nms_iou": 0.5})
    output = (rows.T if layout == "v8" else rows)[np.newaxis]
    demand(decode(spec, [output]), [24, 12, 40, 20], 0.6 if layout == "v5" else 0.8, 1)


def test_of_a_face_only_its_place_is_read() -> None:
    rows, logits = np.full((1, 16, 16), 999, np.float32), np.full((1, 16, 1), -9, np.float32)
    rows[0, 5, :4] = [1, 2, 10, 20]
    logits[0, 5, 0] = np.log(0.9 / 0.1)
    spec = Faces(decoder="mediapipe-faces", stride=16, nms_iou=0.3)
    demand(decode(spec, [rows, logits]), [20, 16, 30, 36], 0.9, 0)


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_second_model_finds_the_cyclist(name: str) -> None:
    need(name in runtime.installed(), name)
    model = find(SSD, with_ssd())
    detector = Detector(model.card, pictures=[(272, 640)], runtime=name, folder=model.folder)
    best = detector.detect(frame(120), 0.4)[0]
    assert best.label == "person"
    assert overlap(np.array([best.box], np.float32), np.array([[346, 8, 481, 272]], np.float32))[0, 0] > 0.6


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_cyclists_face_is_found(name: str) -> None:
    need(name in runtime.installed(), name)
    model = find(FACES, with_faces())
    detector = Detector(model.card, pictures=[(272, 640)], runtime=name, folder=model.folder)
    left, top, right, bottom = detector.detect(frame(120), 0.4)[0].box
    assert (400 < left < right < 460, 15 < top < bottom < 75) == (True, True)


# ---------------------------------------------------------------- an installer's own model

OWN = """
name = "own"
file = "own.tflite"
sha256 = "{sha256}"
licence = "the installer's"
confident = 0.6
source = {{ upstream = "made by the installer" }}

[input]
size = {size}
order = "BGR"
mean = [103.53, 116.28, 123.675]
scale = [57.375, 57.12, 58.395]

[output]
{output}

[labels]
0 = "person"
"""
NANODET = 'decoder = "nanodet"\nstrides = [8, 16, 32]\nbins = 11\nclasses = 80\nnms_iou = 0.5'
YOLO = 'decoder = "yolo"\nlayout = "v8"\nclasses = 80\nnms_iou = 0.5'


def own(folder: Path, *, output: str = NANODET, size: int = 416, sha256: str | None = None) -> str:
    """A card beside a file of the installer's, which is ours under another name."""
    shutil.copy(FOLDER / "nanodet_416_fp16.tflite", folder / "own.tflite")
    proof = sha256 or hashlib.sha256((folder / "own.tflite").read_bytes()).hexdigest()
    (folder / "own.toml").write_text(OWN.format(sha256=proof, size=size, output=output))
    return str(folder / "own.toml")


def detector_of(name: str) -> Detector:
    model = find(name, Path("/nowhere"))
    return Detector(model.card, pictures=[(416, 416)], folder=model.folder)


def test_an_installers_own_file_runs_by_its_card(tmp_path: Path) -> None:
    square = np.zeros((416, 416, 3), np.uint8)
    square[:177] = cv2.resize(frame(120), (416, 177))
    assert detector_of(own(tmp_path)).detect(square, 0.6)[0].label == "person"


def test_outputs_that_do_not_fit_the_card_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        detector_of(own(tmp_path, output=YOLO))
    assert "1x2704x80" in str(raised.value)
    assert "1x84xn (yolo)" in str(raised.value)
    assert "own.tflite" in str(raised.value)
    assert "[output]" in raised.value.hint


def test_an_input_that_does_not_fit_the_card_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        detector_of(own(tmp_path, output=YOLO, size=301))
    assert "301" in str(raised.value)
    assert "input.size" in raised.value.hint or "[output]" in raised.value.hint


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    name = own(tmp_path)
    (tmp_path / "own.tflite").write_bytes(b"no model")
    with pytest.raises(ConfigError, match=hashlib.sha256(b"no model").hexdigest()) as raised:
        detector_of(name)
    assert "sha256sum" in raised.value.hint
    text = (tmp_path / "own.toml").read_text().replace(NANODET, YOLO)
    proof = hashlib.sha256(b"no model").hexdigest()
    (tmp_path / "own.toml").write_text(re.sub('sha256 = ".*"', f'sha256 = "{proof}"', text))
    with pytest.raises(ConfigError, match="cannot run the model"):
        detector_of(name)


def test_a_card_with_a_mistake_names_the_key(tmp_path: Path) -> None:
    name = own(tmp_path, output=NANODET.replace("bins = 11", 'bins = "many"'))
    with pytest.raises(ConfigError, match=r"output\.nanodet\.bins") as raised:
        find(name, tmp_path)
    assert "models/README.md" in raised.value.hint
