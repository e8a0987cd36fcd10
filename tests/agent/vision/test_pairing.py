"""Pairs: nobody twice, nobody left over who could have a partner, and partners exchanged where both gain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.pairing import UNLIKE, pairs


@given(st.data())
def test_everybody_has_one_partner_and_only_those_who_like_nobody_free_have_none(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
    likings = st.one_of(st.just(UNLIKE), st.floats(-0.5, 1.5, width=32))
    drawn = data.draw(st.lists(likings, min_size=rows * columns, max_size=rows * columns))
    alike = np.array(drawn, np.float32).reshape(rows, columns)
    found = pairs(alike)
    assert len(set(found.values())) == len(found)
    assert all(alike[row, column] >= 0 for row, column in found.items())
    free = np.delete(np.delete(alike, list(found), axis=0), list(found.values()), axis=1)
    assert not (free >= 0).any()


def test_each_has_the_likest_where_nobody_shares_it() -> None:
    alike = np.array([[0.2, 0.9, 0.8], [UNLIKE, 0.5, 0.6], [UNLIKE, UNLIKE, UNLIKE]], np.float32)
    assert pairs(alike) == {0: 1, 1: 2}


def test_the_likest_pair_parts_where_two_others_gain_more_by_it() -> None:
    assert pairs(np.array([[0.9, 0.8], [0.8, 0.1]], np.float32)) == {0: 1, 1: 0}


def test_who_could_have_no_other_is_not_made_to_exchange() -> None:
    assert pairs(np.array([[0.9, 0.8], [0.8, UNLIKE]], np.float32)) == {0: 0}
