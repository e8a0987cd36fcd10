"""When a reader's reply is looked at."""

from drivers.osdp.usual import Usual


def test_the_estimate_is_a_little_later_than_the_last_reply_that_was_waited_for() -> None:
    usual = Usual()
    assert usual.first_byte_s == 0
    usual.took(0.003)
    assert 0.003 < usual.first_byte_s < 0.004


def test_it_creeps_down_and_meets_a_reader_that_has_become_quicker() -> None:
    usual = Usual()
    usual.took(0.004)
    looked = 0
    while usual.first_byte_s > 0.002:
        usual.was_there()
        looked += 1
    assert 200 < looked < 1000


def test_a_slow_reader_never_puts_off_the_others() -> None:
    usual = Usual()
    usual.took(0.15)
    assert usual.first_byte_s <= 0.005
    usual.took(-0.001)
    assert 0 <= usual.first_byte_s < 0.001
