"""The whole way from picture to tracks with the real model on real people."""

import cv2

from tests.bench.clip import CLIP, Scene, load, score
from tests.bench.vision import detector_of, play
from tests.conftest import need

FRAMES = 201


def test_people_of_a_public_clip_are_found_and_keep_their_numbers() -> None:
    need(CLIP.is_file(), "Debian's opencv-doc")
    cv2.setNumThreads(1)
    whole = load(FRAMES)
    scene = Scene(whole.name, whole.pictures, {n: found for n, found in whole.people.items() if n < FRAMES})
    run = play(scene.pictures, "economical", detector_of("economical"))
    found = score(scene, run.shown)
    assert found.precision > 0.82
    assert found.recall > 0.72
    assert found.ids < 20
    assert run.inferences < 0.7
