"""The detection table of models/README: `python -m tests.bench.detection`.

Precision and recall of persons and vehicles by their height, on the real pictures of `data/labelled.txt`, each made 640
pixels wide as a camera's picture is. A detection is right when it overlaps a label of its kind, not yet taken, by half
(IoU 0.5); the surest chooses first. Recall counts labels by their height, precision detections by theirs. Needs
Debian's opencv-doc; a model that is not fetched is left out and named.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from drivers.base import ConfigError
from models.card import find
from models.detector import Boxes, Detector, Picture, overlap
from simulators.clips import cache as clip_cache
from simulators.clips import fetch_bikes

LABELS = Path(__file__).parent / "data" / "labelled.txt"
SAMPLES = Path("/usr/share/doc/opencv-doc/examples/data")
MODELS = ("nanodet-416-fp16", "nanodet-416-int8", "ssd-mobilenetv2-oi-fp16")
KINDS = ("person", "vehicle")
WIDTH = 640
SCORE = 0.4
"""The default of vision.min_score."""
STEPS = (0, 40, 80, 160)
"""Lower ends of the classes of height, in pixels."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture, its boxes by kind, and the areas by kind in which nothing counts."""

    picture: Picture
    boxes: dict[str, Boxes]
    ignored: dict[str, Boxes]


@dataclass(slots=True)
class Tally:
    """By kind and class of height."""

    labels: Counter[tuple[str, int]]
    found: Counter[tuple[str, int]]
    detections: Counter[tuple[str, int]]
    right: Counter[tuple[str, int]]


def labelled() -> Iterator[Labelled]:
    for block in LABELS.read_text("utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if lines:
            picture = _picture(*lines[0].split())
            scale = WIDTH / picture.shape[1]
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            rest = [line.split() for line in lines[1:]]
            boxes = {kind: _boxes((w[1:] for w in rest if w[0] == kind), scale) for kind in KINDS}
            ignored = {kind: _boxes((w[2:] for w in rest if w[:2] == ["ignore", kind]), scale) for kind in KINDS}
            yield Labelled(np.asarray(small, np.uint8), boxes, ignored)


def judge(name: str, pictures: list[Labelled]) -> Tally:
    tally = Tally(Counter(), Counter(), Counter(), Counter())
    for one in pictures:
        height, width = one.picture.shape[:2]
        seen = _detector(name, height, width).detect(one.picture, SCORE)
        for kind in KINDS:
            free = list(range(len(one.boxes[kind])))
            for tall in one.boxes[kind][:, 3] - one.boxes[kind][:, 1]:
                tally.labels[kind, _step(tall)] += 1
            for detection in (d for d in seen if d.label == kind):
                box = np.array([detection.box], np.float32)
                best = max(free, key=lambda i: overlap(box, one.boxes[kind][i : i + 1])[0, 0], default=None)
                right = best is not None and overlap(box, one.boxes[kind][best : best + 1])[0, 0] >= 0.5
                if best is not None and right:
                    free.remove(best)
                    tally.found[kind, _step(one.boxes[kind][best, 3] - one.boxes[kind][best, 1])] += 1
                elif _inside(box[0], one.ignored[kind]):
                    continue
                step = _step(detection.box[3] - detection.box[1])
                tally.detections[kind, step] += 1
                tally.right[kind, step] += right
    return tally


def table(models: list[tuple[str, Tally]]) -> Iterator[str]:
    """Right of how many, in Markdown."""
    heads = [
        f"below {STEPS[1]} px",
        *(f"{low} to {high} px" for low, high in pairwise(STEPS[1:])),
        f"from {STEPS[-1]} px",
    ]
    yield "| model | kind | | " + " | ".join([*heads, "all"]) + " |"
    yield "|---|---|---|" + "---|" * (len(heads) + 1)
    for name, tally in models:
        for kind in KINDS:
            for word, good, whole in (
                ("recall", tally.found, tally.labels),
                ("precision", tally.right, tally.detections),
            ):
                counts = [(good[kind, n], whole[kind, n]) for n in range(len(STEPS))]
                counts.append((sum(g for g, _ in counts), sum(w for _, w in counts)))
                yield f"| `{name}` | {kind} | {word} | " + " | ".join(_share(*pair) for pair in counts) + " |"


def main() -> None:
    pictures = list(labelled())
    print(f"{len(pictures)} pictures, score {SCORE}, IoU 0.5\n")
    judged = []
    for name in MODELS:
        try:
            judged.append((name, judge(name, pictures)))
        except ConfigError as err:
            print(f"{name} is left out: {err.hint}")
    print("\n".join(table(judged)))


def _picture(name: str, number: str = "") -> Picture:
    """Raises: ConfigError when Debian's samples are not here."""
    path = fetch_bikes() if name == "bikes.mp4" else SAMPLES / name
    found = _frames(path).get(int(number)) if number else cv2.imread(str(path))
    if found is None:
        raise ConfigError(f"{path} {number} is not there", hint="apt-get install opencv-doc")
    return np.asarray(found, np.uint8)


@cache
def _frames(path: Path) -> dict[int, Picture]:
    """The labelled ones of a clip."""
    wanted = {int(line.split()[1]) for line in LABELS.read_text("utf-8").splitlines() if line.startswith(path.name)}
    capture, frames, number = cv2.VideoCapture(str(path)), dict[int, Picture](), 0
    while capture.grab():
        if number in wanted:
            frames[number] = np.asarray(capture.retrieve()[1], np.uint8)
        number += 1
    capture.release()
    return frames


@cache
def _detector(name: str, height: int, width: int) -> Detector:
    model = find(name, clip_cache() / "models")
    return Detector(model.card, pictures=[(height, width)], folder=model.folder)


def _boxes(rows: Iterator[list[str]], scale: float) -> Boxes:
    return np.array([[float(side) for side in row] for row in rows], np.float32).reshape(-1, 4) * np.float32(scale)


def _inside(box: Boxes, areas: Boxes) -> bool:
    """Whether at least half of the box is in one of them."""
    if not len(areas):
        return False
    low, high = np.maximum(areas[:, :2], box[:2]), np.minimum(areas[:, 2:], box[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return bool((shared >= 0.5 * np.prod(box[2:] - box[:2])).any())


def _step(height: float) -> int:
    return sum(height >= low for low in STEPS) - 1


def _share(good: int, whole: int) -> str:
    return f"{good / whole:.2f} ({good}/{whole})" if whole else "–"


if __name__ == "__main__":
    main()
