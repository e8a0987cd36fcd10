"""The public clip of the vision benchmark, its people, and tracks scored against them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from agent.observations import Track
from models.detector import Boxes, Picture, overlap

WIDTH, HEIGHT, FPS = 640, 480, 5.0
CLIP = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
_DATA = Path(__file__).with_name("data")
_STEP = 2
_SCALE = WIDTH / 768
_IOU = 0.5

_Key = TypeVar("_Key", int, float)
People = Mapping[int, Boxes]
"""By person, one row each."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures at 5 a second; `people` of those frames that are labelled."""

    name: str
    pictures: Sequence[Picture]
    people: Mapping[int, People]
    entries: Mapping[int, Mapping[float, Boxes]] = field(default_factory=dict)
    """Of each person who enters, where he is from when half of him is in sight, by picture; x.5 lies between two."""


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
    for frame, person, box in _labels("vtest-people.txt"):
        people.setdefault(frame // _STEP, {})[person] = box
    entries: dict[int, dict[float, Boxes]] = {}
    for frame, person, box in _labels("vtest-entries.txt"):
        entries.setdefault(person, {})[frame / _STEP] = box
    return Scene("clip", pictures, people, entries)


def _labels(name: str) -> Iterator[tuple[int, int, Boxes]]:
    """Frame of the clip, person, box in pixels of the smaller picture."""
    for line in (_DATA / name).read_text("ascii").splitlines():
        frame, person, *box = map(int, line.split())
        yield frame, person, np.array(box, np.float32) * np.float32(_SCALE)


def variants(scene: Scene) -> Iterator[Scene]:
    """The scene itself, mirrored, backwards (where nobody's entry is known), and shifted by some pixels."""
    yield scene
    last = len(scene.pictures) - 1
    mirror = np.array([WIDTH, 0, WIDTH, 0], np.float32)

    def mirrored(box: Boxes) -> Boxes:
        return np.asarray(np.abs(mirror - box)[[2, 1, 0, 3]], np.float32)

    yield Scene(
        "mirrored",
        [np.ascontiguousarray(picture[:, ::-1]) for picture in scene.pictures],
        _moved(scene.people, mirrored),
        _moved(scene.entries, mirrored),
    )
    yield Scene("backwards", scene.pictures[::-1], {last - frame: found for frame, found in scene.people.items()})
    across, down = 12, 8
    step = np.array([[1, 0, across], [0, 1, down]], np.float32)
    limits = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)

    def shifted(box: Boxes) -> Boxes:
        return np.asarray(np.clip(box + np.array([across, down, across, down], np.float32), 0, limits), np.float32)

    yield Scene(
        "shifted",
        [
            np.asarray(cv2.warpAffine(picture, step, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8)
            for picture in scene.pictures
        ],
        _moved(scene.people, shifted),
        _moved(scene.entries, shifted),
    )


def score(scene: Scene, shown: Sequence[Sequence[Track]]) -> Score:
    """Tracks of every frame against the people of the labelled ones, at an overlap of a half."""
    hits = claims = wanted = switches = 0
    last: dict[int, int] = {}
    together: Counter[tuple[int, int]] = Counter()
    ids: set[int] = set()
    for frame, people in scene.people.items():
        names, tracks = list(people), shown[frame]
        alike = overlap(np.array(list(people.values()), np.float32).reshape(-1, 4), _boxes(tracks))
        pairs = _pairs(alike)
        for row, column in zip(*np.nonzero(alike >= _IOU), strict=True):
            together[names[row], tracks[column].id] += 1
        for row, column in pairs:
            switches += last.get(names[row], tracks[column].id) != tracks[column].id
            last[names[row]] = tracks[column].id
        ids |= {track.id for track in tracks}
        hits, claims, wanted = hits + len(pairs), claims + len(tracks), wanted + len(names)
    return Score(hits / max(claims, 1), hits / wanted, 2 * _best(together) / (claims + wanted), switches, len(ids))


def delays(scene: Scene, shown: Sequence[Sequence[Track]]) -> list[float]:
    """Seconds from when half of each person who enters is in sight to the frame in which a track is on him.

    Who is on no track in all the time that is labelled, three seconds, counts with that time.
    """
    found: list[float] = []
    for boxes in scene.entries.values():
        on = [
            picture
            for picture, box in boxes.items()
            if picture.is_integer() and overlap(box[np.newaxis], _boxes(shown[int(picture)])).max(initial=0) >= _IOU
        ]
        found.append(round((min(on, default=max(boxes)) - min(boxes)) / FPS, 1))
    return found


def _boxes(tracks: Sequence[Track]) -> Boxes:
    rows = [[t.box.left, t.box.top, t.box.right, t.box.bottom] for t in tracks]
    return np.array(rows, np.float32).reshape(-1, 4)


def _moved(labels: Mapping[int, Mapping[_Key, Boxes]], move: Callable[[Boxes], Boxes]) -> dict[int, dict[_Key, Boxes]]:
    return {key: {other: move(box) for other, box in found.items()} for key, found in labels.items()}


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
