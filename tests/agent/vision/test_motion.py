"""The gate on synthetic pictures: quiet on noise, awake on a person, soon at ease after a change of light."""

import numpy as np
import pytest

from agent.vision.motion import MotionGate
from models.detector import Picture

HEIGHT, WIDTH = 272, 640
STEP_S = 0.2


class Scene:
    """A textured street with sensor noise; one light level for all."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)
        blocks = self._random.integers(40, 180, (HEIGHT // 8, WIDTH // 8, 3))
        self._street = np.kron(blocks, np.ones((8, 8, 1))).astype(np.float32)

    def picture(self, *, light: float = 0.0, person: int | None = None) -> Picture:
        image = self._street + light + self._random.normal(0, 6, self._street.shape)
        if person is not None:
            image[100:180, person : person + 30] = 230
        return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_first_frame_and_noise_are_still(scene: Scene) -> None:
    gate = MotionGate()
    assert not any(gate.look(scene.picture(), i * STEP_S).any for i in range(60))


def test_a_person_moves_where_the_person_is(scene: Scene) -> None:
    gate = MotionGate()
    gate.look(scene.picture(), 0.0)
    for number in range(1, 15):
        at = 40 * number
        motion = gate.look(scene.picture(person=at), number * STEP_S)
        assert not motion.everywhere
        assert any(
            left <= at + 8 and right >= at + 22 and top <= 108 and bottom >= 172
            for left, top, right, bottom in motion.areas.tolist()
        )


def test_a_small_far_person_is_not_missed(scene: Scene) -> None:
    gate = MotionGate()
    gate.look(scene.picture(), 0.0)
    picture = scene.picture()
    picture[50:82, 300:312] = 240
    assert gate.look(picture, STEP_S).any


def test_slow_dusk_is_still(scene: Scene) -> None:
    gate = MotionGate()
    assert not any(gate.look(scene.picture(light=-i / 3), i * STEP_S).any for i in range(120))


@pytest.mark.parametrize("light", [-35.0, 60.0])
def test_a_switch_of_light_counts_for_one_frame(scene: Scene, light: float) -> None:
    gate = MotionGate()
    for number in range(10):
        gate.look(scene.picture(), number * STEP_S)
    assert gate.look(scene.picture(light=light), 10 * STEP_S).everywhere
    after = [gate.look(scene.picture(light=light), (11 + i) * STEP_S).any for i in range(20)]
    assert not any(after)


def test_a_thing_put_down_becomes_part_of_the_scene(scene: Scene) -> None:
    gate = MotionGate()
    gate.look(scene.picture(), 0.0)
    moved = [gate.look(scene.picture(person=300), i * STEP_S).any for i in range(1, 120)]
    assert moved[0]
    assert not any(moved[80:])
