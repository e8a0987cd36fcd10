"""Who enters: motion away from all that is followed, in its second picture and never again."""

from collections.abc import Sequence

import numpy as np

from agent.vision.newcomers import Newcomers
from models.detector import Boxes


def boxes(*rows: Sequence[float]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_somebody_who_enters_is_noticed_in_the_second_picture_and_only_then() -> None:
    newcomers = Newcomers()
    steps = [boxes((640 - 15 * step, 100, 655 - 15 * step, 180)) for step in range(1, 8)]
    assert [newcomers.look(areas, boxes()) for areas in steps] == [False, True] + [False] * 5


def test_what_moves_beside_somebody_followed_is_no_newcomer() -> None:
    newcomers = Newcomers()
    followed = boxes((300, 100, 330, 180))
    assert not any(newcomers.look(boxes((335, 150, 360, 180)), followed) for _ in range(5))


def test_a_branch_that_never_rests_does_not_hide_who_enters_elsewhere() -> None:
    newcomers = Newcomers()
    branch = (50.0, 20.0, 90.0, 40.0)
    for _ in range(10):
        newcomers.look(boxes(branch), boxes())
    assert not newcomers.look(boxes(branch, (600, 100, 640, 180)), boxes())
    assert newcomers.look(boxes(branch, (585, 100, 640, 180)), boxes())


def test_a_picture_without_motion_brings_nobody() -> None:
    newcomers = Newcomers()
    assert not newcomers.look(boxes(), boxes())
    assert not newcomers.look(boxes(), boxes((300, 100, 330, 180)))
