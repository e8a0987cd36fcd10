"""Parts of a picture: inside it, in its shape, and holding what they are for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.region import closer

WIDTH, HEIGHT = 640, 480


@given(st.lists(st.tuples(st.integers(0, WIDTH - 20), st.integers(0, HEIGHT - 50)), min_size=1, max_size=8))
def test_a_closer_look_is_half_the_picture_with_at_least_one_of_those_missed_in_it(
    corners: list[tuple[int, int]],
) -> None:
    places = np.array([(left, top, left + 20, top + 50) for left, top in corners], np.float32)
    left, top, right, bottom = closer(places, WIDTH, HEIGHT)
    assert 0 <= left < right <= WIDTH
    assert 0 <= top < bottom <= HEIGHT
    assert (right - left, bottom - top) == (WIDTH // 2, HEIGHT // 2)
    assert any(left <= x and x + 20 <= right and top <= y and y + 50 <= bottom for x, y in corners)


def test_a_closer_look_goes_where_most_are_missed() -> None:
    places = np.array([(20, 20, 40, 70), (500, 300, 520, 350), (560, 340, 580, 390)], np.float32)
    left, top, right, bottom = closer(places, WIDTH, HEIGHT)
    assert left <= 500
    assert right >= 580
    assert top <= 300
    assert bottom >= 390
