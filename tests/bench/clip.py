"""The public clip of the vision benchmark, its people, and tracks scored against them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from agent.observations import Track
from models.detector import Boxes, Picture, overlap

WIDTH, HEIGHT, FPS = 640, 480, 5.0
CLIP = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
_TRUTH = Path(__file__).with_name("data") / "vtest-people.txt"
_STEP = 2
_SCALE = WIDTH / 768
_IOU = 0.5

People = Mapping[int, Boxes]
"""By person, one row each."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures at 5 a second; `people` of those frames that are labelled."""

    name: str
    pictures: Sequence[Picture]
    people: Mapping[int, People]


@dataclass(frozen=True, slots=True)
class Score:
    precision: float
    recall: float
    idf1: float
    switches: int
    ids: int


def load(most: int = 1_000_000) -> Scene:
    """Every second frame, 640x480, or the first of them."""
    capture = cv2.VideoCapture(str(CLIP))
    pictures: list[Picture] = []
    number = 0
    while len(pictures) < most and capture.grab():
        if number % _STEP == 0:
            picture = capture.retrieve()[1]
            pictures.append(np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8))
        number += 1
    capture.release()
    people: dict[int, dict[int, Boxes]] = {}
    for line in _TRUTH.read_text("ascii").splitlines():
        frame, person, *box = map(int, line.split())
        people.setdefault(frame // _STEP, {})[person] = np.array(box, np.float32) * np.float32(_SCALE)
    return Scene("clip", pictures, people)


def variants(scene: Scene) -> Iterator[Scene]:
    """The scene itself, mirrored, backwards, and shifted by some pixels."""
    yield scene
    last = len(scene.pictures) - 1
    mirror = np.array([WIDTH, 0, WIDTH, 0], np.float32)
    yield Scene(
        "mirrored",
        [np.ascontiguousarray(picture[:, ::-1]) for picture in scene.pictures],
        _moved(scene.people, lambda box: np.abs(mirror - box)[[2, 1, 0, 3]]),
    )
    yield Scene("backwards", scene.pictures[::-1], {last - frame: found for frame, found in scene.people.items()})
    across, down = 12, 8
    step = np.array([[1, 0, across], [0, 1, down]], np.float32)
    limits = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)
    yield Scene(
        "shifted",
        [
            np.asarray(cv2.warpAffine(picture, step, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8)
            for picture in scene.pictures
        ],
        _moved(scene.people, lambda box: np.clip(box + np.array([across, down, across, down], np.float32), 0, limits)),
    )


def score(scene: Scene, shown: Sequence[Sequence[Track]]) -> Score:
    """Tracks of every frame against the people of the labelled ones, at an overlap of a half."""
    hits = claims = wanted = switches = 0
    last: dict[int, int] = {}
    together: Counter[tuple[int, int]] = Counter()
    ids: set[int] = set()
    for frame, people in scene.people.items():
        names, tracks = list(people), shown[frame]
        found = np.array([[t.box.left, t.box.top, t.box.right, t.box.bottom] for t in tracks], np.float32)
        alike = overlap(np.array(list(people.values()), np.float32).reshape(-1, 4), found.reshape(-1, 4))
        pairs = _pairs(alike)
        for row, column in zip(*np.nonzero(alike >= _IOU), strict=True):
            together[names[row], tracks[column].id] += 1
        for row, column in pairs:
            switches += last.get(names[row], tracks[column].id) != tracks[column].id
            last[names[row]] = tracks[column].id
        ids |= {track.id for track in tracks}
        hits, claims, wanted = hits + len(pairs), claims + len(tracks), wanted + len(names)
    return Score(hits / max(claims, 1), hits / wanted, 2 * _best(together) / (claims + wanted), switches, len(ids))


def _moved(people: Mapping[int, People], move: Callable[[Boxes], Boxes]) -> Mapping[int, People]:
    return {frame: {person: move(box) for person, box in found.items()} for frame, found in people.items()}


def _pairs(alike: npt.NDArray[np.float32]) -> list[tuple[int, int]]:
    """The likest first; at a half overlap there is hardly ever a choice."""
    found: list[tuple[int, int]] = []
    alike = alike.copy()
    while alike.size and alike.max() >= _IOU:
        row, column = np.unravel_index(int(alike.argmax()), alike.shape)
        found.append((int(row), int(column)))
        alike[row], alike[:, column] = 0, 0
    return found


def _best(together: Counter[tuple[int, int]]) -> int:
    """Frames in which persons keep the one track that is given to them for good, the largest shares first."""
    total, persons, tracks = 0, set[int](), set[int]()
    for (person, track), count in together.most_common():
        if person not in persons and track not in tracks:
            total += count
            persons.add(person)
            tracks.add(track)
    return total
