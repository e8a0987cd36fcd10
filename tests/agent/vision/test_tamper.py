"""Tampering is told, and what a camera goes through every day is not: on the pictures of a real clip."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from agent.observations import Flaw
from agent.vision.motion import MotionGate
from agent.vision.private import PrivateAreas
from agent.vision.tamper import EVERY_S, FROZEN_S, RESEED_S, Tamper
from simulators.clips import fetch_bikes
from simulators.lens import Noise, Picture, Trouble, through
from simulators.scenes import Figure, Stage

EVERY_FRAME = 25
"""Every shot of the clip is among them."""
SHARP = range(5, 10)
"""Views that are in focus and filled with things."""


def views() -> Iterator[Picture]:
    capture = cv2.VideoCapture(str(fetch_bikes()))
    number = 0
    while capture.grab():
        if number % EVERY_FRAME == 0:
            yield np.asarray(capture.retrieve()[1], np.uint8)
        number += 1
    capture.release()


VIEWS = list(views())
NOISE = Noise(*VIEWS[0].shape[:2])
TOLD = {
    Trouble.COVERED: {Flaw.COVERED},
    Trouble.DEFOCUSED: {Flaw.DEFOCUSED},
    Trouble.TURNED: {Flaw.TURNED, Flaw.COVERED},  # a blank wall in its place looks like a cover
}


NOTHING = PrivateAreas([])
WINDOWS = PrivateAreas(
    ((x, y), (x + 60, y), (x + 60, y + 40), (x, y + 40)) for x in range(20, 600, 110) for y in (10, 100, 190)
)
"""Their edges are a good part of all edges of a picture, and stay."""


class Camera:
    """A fixed camera at one view, with a sensor's noise."""

    def __init__(self, view: Picture, private: PrivateAreas = NOTHING) -> None:
        self.view = view
        self.tamper = Tamper()
        self.now_s = 100.0
        self._private = private
        self._gate = MotionGate(private)
        self.show(view, 5)

    def show(self, picture: Picture, seconds: float, *, frozen: bool = False) -> set[Flaw | None]:
        """Every flaw said meanwhile."""
        said, noisy = {self.tamper.flaw}, NOISE.on(picture)
        for _ in range(round(seconds / EVERY_S)):
            self.now_s += EVERY_S
            shown = noisy.copy() if frozen else NOISE.on(picture)
            self._private.black_out(shown)
            self._gate.look(shown, self.now_s)
            self.tamper.look(self._gate.luma, self.now_s, self._gate.visible)
            said.add(self.tamper.flaw)
        return said


@pytest.mark.parametrize("private", [NOTHING, WINDOWS], ids=["", "private areas"])
@pytest.mark.parametrize("trouble", list(TOLD))
def test_each_tampering_is_told_within_seconds_at_every_view_and_its_end_too(
    trouble: Trouble, private: PrivateAreas
) -> None:
    for number in SHARP:
        view = VIEWS[number]
        camera = Camera(view, private)
        camera.show(through(view, trouble), 5)
        assert camera.tamper.flaw in TOLD[trouble], number
        assert camera.show(view, 5) <= TOLD[trouble] | {None}
        assert camera.tamper.flaw is None


def test_a_frozen_picture_is_told_and_a_still_street_is_not() -> None:
    for view in VIEWS[::3]:
        camera = Camera(view)
        assert camera.show(view, 12) == {None}
        camera.show(view, FROZEN_S + 5, frozen=True)
        assert camera.tamper.flaw is Flaw.FROZEN
        camera.show(view, 5)
        assert camera.tamper.flaw is None


def _lights(picture: Picture) -> Iterator[Picture]:
    for share in (0.7, 0.4, 0.15, 0.06, 0.3, 1.0, 1.5, 2.0, 1.0):
        yield np.clip(picture * share, 0, 255).astype(np.uint8)


def _switches(picture: Picture) -> Iterator[Picture]:
    for trouble in (Trouble.INFRARED, None, Trouble.DARK, Trouble.INFRARED, Trouble.DARK, None):
        yield picture if trouble is None else through(picture, trouble)


def _out(picture: Picture) -> Iterator[Picture]:
    yield np.zeros_like(picture)
    yield picture


@pytest.mark.parametrize("private", [NOTHING, WINDOWS], ids=["", "private areas"])
@pytest.mark.parametrize("happens", [_lights, _switches, _out])
def test_lights_and_infrared_are_no_tampering_at_any_view(
    happens: Callable[[Picture], Iterator[Picture]], private: PrivateAreas
) -> None:
    for number, view in enumerate(VIEWS):
        camera = Camera(view, private)
        for picture in happens(view):
            assert camera.show(picture, 5) == {None}, number


def test_people_and_cars_that_pass_are_no_tampering() -> None:
    stage = Stage(fetch_bikes(), 640, 272, fps=1 / EVERY_S)
    camera = Camera(stage.picture())
    for number in range(120):
        if number % 10 == 0:
            figure, height = (Figure.CAR, 200) if number % 20 else (Figure.PERSON, 240)
            stage.enter(figure, ((0, 270), (640, 270)), height=height, speed=100, count=2)
        assert camera.show(stage.picture(), EVERY_S) == {None}, number


def test_the_reference_follows_daylight_and_does_not_follow_a_cover() -> None:
    view = VIEWS[6]
    camera = Camera(view)
    shadow = np.linspace(0.4, 1.4, view.shape[1])[np.newaxis, :, np.newaxis]
    for share in np.linspace(0, 1, 12):
        daylight = np.clip(view * (1 - share + share * shadow), 0, 255).astype(np.uint8)
        assert camera.show(daylight, 15) == {None}
    begun_s = camera.tamper.reference_s
    camera.show(through(view, Trouble.COVERED), 100)
    assert camera.tamper.flaw is Flaw.COVERED
    assert camera.tamper.reference_s == begun_s


def test_a_view_that_stays_turned_becomes_the_reference_after_an_hour() -> None:
    camera = Camera(VIEWS[6])
    turned = through(VIEWS[6], Trouble.TURNED)
    camera.show(turned, 10)
    assert camera.tamper.flaw is Flaw.TURNED
    begun_s = camera.tamper.reference_s
    camera.now_s += RESEED_S
    assert camera.show(turned, 3) == {Flaw.TURNED, None}
    assert camera.tamper.reference_s > begun_s
    assert camera.show(turned, 5) == {None}
