"""The gate on synthetic pictures: quiet on noise, awake on a person, soon at ease after a change of light."""

import numpy as np
import pytest

from agent.vision.motion import Motion, MotionGate
from agent.vision.private import PrivateAreas
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


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("light", "switched"), [(-22.0, False), (22.0, False), (-35.0, True), (60.0, True)])
def test_what_is_private_moves_for_no_light_and_hides_no_switch(
    scene: Scene, share: float, light: float, *, switched: bool
) -> None:
    right = WIDTH * share - 1
    private = PrivateAreas([((0, 0), (right, 0), (right, HEIGHT - 1), (0, HEIGHT - 1))])
    gate = MotionGate(private)

    def look(number: int, light: float) -> Motion:
        picture = scene.picture(light=light)
        private.black_out(picture)
        return gate.look(picture, number * STEP_S)

    assert not any(look(number, 0).any for number in range(10))
    assert look(10, light).everywhere == switched
    assert not any(look(number, light).any for number in range(11, 30))


def test_who_walks_beside_what_is_private_moves_and_all_that_is_private_does_not(scene: Scene) -> None:
    for right, moves in ((300, True), (WIDTH, False)):
        private = PrivateAreas([((0, 0), (right, 0), (right, HEIGHT), (0, HEIGHT))])
        gate = MotionGate(private)
        moved = []
        for number in range(10):
            picture = scene.picture(person=320 + 20 * number if number else None)
            private.black_out(picture)
            moved.append(gate.look(picture, number * STEP_S).any)
        assert moved == [False, *[moves] * 9]


def test_shadows_that_cannot_become_darker_are_still() -> None:
    gate = MotionGate()
    noise = np.random.default_rng(7)
    for number, light in enumerate([0] * 5 + [-24] * 20):
        picture = np.full((HEIGHT, WIDTH, 3), 120 + light, np.uint8)
        picture[:, : WIDTH // 8] = 3
        assert not gate.look(picture + noise.integers(0, 3, picture.shape, np.uint8), number * STEP_S).any


def test_a_thing_put_down_becomes_part_of_the_scene(scene: Scene) -> None:
    gate = MotionGate()
    gate.look(scene.picture(), 0.0)
    moved = [gate.look(scene.picture(person=300), i * STEP_S).any for i in range(1, 120)]
    assert moved[0]
    assert not any(moved[80:])
