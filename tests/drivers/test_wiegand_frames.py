"""Edges become bursts: whole, in order, or spoilt."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.wiegand.frames import MAX_BITS, MAX_SETTLE_S, Assembler, Burst, Spoilt

GAP_S = 0.03
STEP_S = 0.0015


def feed(assembler: Assembler, bits: str, at_s: float, step_s: float = STEP_S) -> tuple[list[Burst], float]:
    """Give the bits and return what ended meanwhile, and the moment of the last."""
    ended = [assembler.bit(bit == "1", at_s + n * step_s) for n, bit in enumerate(bits)]
    return [burst for burst in ended if burst], at_s + (len(bits) - 1) * step_s


def test_a_burst_of_the_longest_length_ends_soon() -> None:
    assembler = Assembler([4, 26], GAP_S)
    ended, last_s = feed(assembler, "10" * 13, 1.0)
    assert ended == []
    assert assembler.due_s == pytest.approx(last_s + 2 * STEP_S)
    assert assembler.expire(last_s + 2 * STEP_S - 1e-6) is None
    assert assembler.expire(last_s + 2 * STEP_S + 1e-6) == Burst(26, int("10" * 13, 2), last_s)
    assert assembler.due_s is None


def test_a_shorter_burst_ends_by_silence() -> None:
    assembler = Assembler([4, 26], GAP_S)
    _, last_s = feed(assembler, "0101", 1.0)
    assert assembler.due_s == pytest.approx(last_s + GAP_S)
    assert assembler.expire(last_s + GAP_S / 2) is None
    assert assembler.expire(last_s + GAP_S + 1e-6) == Burst(4, 5, last_s)


@pytest.mark.parametrize("step_s", [0.0002, 0.001, 0.002, 0.003, 0.01, 0.02])
def test_34_bits_are_never_taken_for_26(step_s: float) -> None:
    """Whatever the reader's pace: asked at every moment, the burst ends once and whole."""
    assembler = Assembler([26], GAP_S)
    ended = []
    for n in range(34):
        before_s = 1.0 + (n - 1) * step_s
        ended += [assembler.expire(before_s + part / 10 * step_s) for part in range(10)]
        ended.append(assembler.bit(n % 2, 1.0 + n * step_s))
    ended.append(assembler.expire(10.0))
    found = [burst for burst in ended if burst]
    assert [(burst.bits, burst.spoilt) for burst in found] == [(34, None)]


def test_a_slow_readers_burst_ends_by_silence() -> None:
    assembler = Assembler([26], GAP_S)
    _, last_s = feed(assembler, "1" * 26, 1.0, step_s=MAX_SETTLE_S)
    assert assembler.due_s == pytest.approx(last_s + GAP_S)


def test_bits_after_a_complete_burst_are_spoilt() -> None:
    assembler = Assembler([26], GAP_S)
    _, last_s = feed(assembler, "1" * 26, 1.0)
    assert assembler.expire(last_s + 2 * STEP_S + 1e-6)
    feed(assembler, "1" * 26, last_s + 0.01)
    late = assembler.expire(10.0)
    assert late
    assert late.spoilt is Spoilt.LATE


def test_two_bursts_read_at_once_are_two() -> None:
    """The loop was busy: edges of both were waiting, and only their stamps tell."""
    assembler = Assembler([26], GAP_S)
    ended, last_s = feed(assembler, "0" * 25 + "1", 1.0)
    again, _ = feed(assembler, "1" * 26, last_s + 0.05)
    assert [burst.number for burst in ended + again] == [1]
    second = assembler.expire(5.0)
    assert second
    assert (second.bits, second.number, second.spoilt) == (26, 2**26 - 1, None)


def test_a_gap_in_the_kernels_numbers_spoils_the_burst_and_no_other() -> None:
    assembler = Assembler([4], GAP_S)
    feed(assembler, "01", 1.0)
    assembler.bit(1, 1.003, after_gap=True)
    assembler.bit(1, 1.0045)
    spoilt = assembler.expire(2.0)
    assert spoilt
    assert (spoilt.bits, spoilt.spoilt) == (4, Spoilt.LOST)
    feed(assembler, "0110", 3.0)
    whole = assembler.expire(4.0)
    assert whole
    assert (whole.number, whole.spoilt) == (6, None)


def test_pulses_too_close_together_spoil_the_burst() -> None:
    assembler = Assembler([4], GAP_S)
    for at_s in (1.0, 1.0015, 1.00151, 1.003):
        assembler.bit(1, at_s)
    spoilt = assembler.expire(2.0)
    assert spoilt
    assert spoilt.spoilt is Spoilt.NOISE


def test_an_endless_burst_keeps_its_size() -> None:
    assembler = Assembler([26], GAP_S)
    feed(assembler, "1" * 5000, 1.0)
    spoilt = assembler.expire(100.0)
    assert spoilt
    assert (spoilt.bits, spoilt.spoilt) == (MAX_BITS, Spoilt.LONG)
    assert spoilt.number.bit_length() <= MAX_BITS


def test_no_bit_is_in_the_words_for_a_burst() -> None:
    assert "5" not in repr(Burst(26, 5, 1.0))


@given(
    trains=st.lists(st.text("01", min_size=1, max_size=60), min_size=1, max_size=5),
    step_s=st.floats(0.0003, 0.02),
    rest_s=st.floats(0.031, 1.0),
    lengths=st.sets(st.sampled_from([4, 8, 26, 34, 37]), min_size=1),
)
@settings(max_examples=100, deadline=None)
def test_every_train_is_one_burst(trains: list[str], step_s: float, rest_s: float, lengths: set[int]) -> None:
    assembler = Assembler(lengths, GAP_S)
    ended: list[Burst] = []
    at_s = 1.0
    for train in trains:
        found, last_s = feed(assembler, train, at_s, step_s)
        ended += found
        at_s = last_s + rest_s
    ended += filter(None, [assembler.expire(at_s)])
    assert [(burst.bits, burst.number) for burst in ended] == [(len(t), int(t, 2)) for t in trains]
    assert all(before.mono_s < after.mono_s for before, after in itertools.pairwise(ended))
