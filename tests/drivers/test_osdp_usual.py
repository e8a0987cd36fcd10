"""When a reader's reply is looked at."""

from drivers.osdp.usual import Usual


def test_the_estimate_is_a_little_later_than_the_last_reply_that_was_waited_for() -> None:
    usual = Usual()
    assert usual.first_byte_s == 0
    usual.took(0.003, seen_at_once=False)
    assert 0.003 < usual.first_byte_s < 0.0035


def test_it_creeps_down_and_meets_a_reader_that_has_become_quicker() -> None:
    usual = Usual()
    usual.took(0.004, seen_at_once=False)
    looked = 0
    while usual.first_byte_s > 0.002:
        usual.took(usual.first_byte_s, seen_at_once=True)
        looked += 1
    assert 20 < looked < 200


def test_a_slow_reader_never_puts_off_the_others() -> None:
    usual = Usual()
    usual.took(0.15, seen_at_once=False)
    assert usual.first_byte_s <= 0.005
    usual.took(-0.001, seen_at_once=False)
    assert 0 <= usual.first_byte_s < 0.001
