"""When to try again, with which MQTT, and what to set aside: by a clock moved by hand."""

import random

import pytest

from agent.events import Lane
from agent.settings import Protocol
from agent.uplink.dial import Cause
from agent.uplink.policy import (
    DENIED_STRIKES,
    OF_THE_MESSAGE,
    PACKET_IDENTIFIER_IN_USE,
    RETURN_S,
    Brokers,
    Reconnect,
    Refusals,
    Suspects,
    Versions,
)

NOT_AUTHORIZED = 0x87
DAY_S = 24 * 3600.0


def most(_low: float, high: float) -> float:
    return high


def test_waits_grow_to_four_seconds_in_the_first_minute_and_to_a_minute_later() -> None:
    policy, now, waits = Reconnect(most), 1000.0, []
    while now < 1060:
        waits.append(policy.next_s(now, slow=False))
        now += waits[-1]
    assert waits[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert max(waits) == 4.0
    later = [policy.next_s(now + n, slow=False) for n in range(6)]
    assert later[-1] == 60.0


def test_jitter_is_full() -> None:
    waits = [Reconnect(random.Random(seed).uniform).next_s(0.0, slow=False) for seed in range(200)]
    assert min(waits) < 0.02
    assert max(waits) > 0.23


def test_what_a_human_must_cure_is_tried_slowly_at_once() -> None:
    assert Reconnect(lambda low, _: low).next_s(0.0, slow=True) == 30.0


def test_a_proven_link_starts_afresh() -> None:
    policy = Reconnect(most)
    for _ in range(8):
        policy.next_s(0.0, slow=False)
    policy.proven()
    assert policy.next_s(500.0, slow=False) == 0.25


def test_mqtt_5_comes_first_and_again_a_day_after_its_refusal() -> None:
    versions = Versions(Protocol.AUTO)
    assert versions.choose(0.0) is Protocol.MQTT5
    versions.failed(Cause.VERSION, 0.0)
    assert versions.choose(1.0) is Protocol.MQTT311
    assert not versions.due(DAY_S - 1)
    assert versions.due(DAY_S)
    assert versions.choose(DAY_S) is Protocol.MQTT5


@pytest.mark.parametrize("cause", [Cause.TIMEOUT, Cause.UNREACHABLE, Cause.DENIED, Cause.CONFIGURED])
def test_no_other_failure_leads_away_from_mqtt_5(cause: Cause) -> None:
    versions = Versions(Protocol.AUTO)
    for _ in range(10):
        versions.failed(cause, 0.0)
    assert versions.choose(1.0) is Protocol.MQTT5


def test_two_closes_in_a_row_change_the_version_and_a_time_out_between_does_not_count() -> None:
    versions = Versions(Protocol.AUTO)
    for cause in (Cause.CLOSED, Cause.TIMEOUT, Cause.CLOSED):
        versions.failed(cause, 0.0)
    assert versions.choose(1.0) is Protocol.MQTT5
    versions.failed(Cause.CLOSED, 0.0)
    assert versions.choose(1.0) is Protocol.MQTT311


def test_a_version_that_is_configured_stays() -> None:
    versions = Versions(Protocol.MQTT5)
    versions.failed(Cause.VERSION, 0.0)
    assert versions.choose(1.0) is Protocol.MQTT5


def test_the_message_the_broker_cannot_bear_is_found_and_no_other() -> None:
    suspects = Suspects()
    flight = frozenset({(Lane.ALARM, n) for n in range(1, 6)})
    bad = (Lane.ALARM, 3)
    modes = []
    for _ in range(2):
        assert suspects.closed(flight, prompt=True) is None
        modes.append(suspects.careful)
    assert modes == [False, True]
    suspects.acknowledged((Lane.ALARM, 1))
    suspects.acknowledged((Lane.ALARM, 2))
    assert suspects.closed(frozenset({bad}), prompt=True) is None
    assert suspects.closed(frozenset({bad}), prompt=True) == bad
    suspects.acknowledged((Lane.ALARM, 4))
    suspects.acknowledged((Lane.ALARM, 5))
    assert not suspects.careful


def test_a_link_that_is_lost_long_after_the_last_message_accuses_none() -> None:
    suspects = Suspects()
    for _ in range(10):
        assert suspects.closed(frozenset({(Lane.ALARM, 1)}), prompt=False) is None
    assert not suspects.careful


def test_a_broker_that_says_that_it_closes_for_a_message_closes_but_twice() -> None:
    suspects = Suspects()
    bad = (Lane.ACCESS, 7)
    assert suspects.closed(frozenset({bad, (Lane.ACCESS, 8)}), prompt=False, accused=True) is None
    assert suspects.careful
    assert suspects.closed(frozenset({bad}), prompt=False, accused=True) == bad


# ---------------------------------------------------------------- refusals


def test_a_lane_that_is_denied_as_a_whole_rests_and_loses_nothing() -> None:
    refusals = Refusals()
    for _ in range(100):
        until = refusals.refused((Lane.ACCESS, 1), NOT_AUTHORIZED, 50.0)
        assert until is not None
        assert 50.0 + 2.5 <= until <= 50.0 + 60.0
    refusals.accepted(Lane.ALARM, 1, 1)
    assert Lane.ACCESS in refusals
    refusals.accepted(Lane.ACCESS, 1, 4)
    assert not refusals


def test_what_alone_is_denied_in_its_lane_is_set_aside_in_the_end() -> None:
    refusals, rests = Refusals(), 0
    while refusals.refused((Lane.ACCESS, 3), NOT_AUTHORIZED, 0.0) is not None:
        refusals.accepted(Lane.ACCESS, 4, 40)
        rests += 1
    assert rests == DENIED_STRIKES - 1
    assert not refusals


@pytest.mark.parametrize("code", sorted(OF_THE_MESSAGE))
def test_a_code_that_speaks_of_the_message_sets_it_aside_the_second_time(code: int) -> None:
    refusals = Refusals()
    assert refusals.refused((Lane.ALARM, 3), code, 0.0) is not None
    assert refusals.refused((Lane.ALARM, 3), code, 9.0) is None
    assert not refusals


def test_an_identifier_in_use_accuses_nobody() -> None:
    refusals = Refusals()
    assert refusals.refused((Lane.ALARM, 3), PACKET_IDENTIFIER_IN_USE, 9.0) == 9.0
    assert not refusals


# ---------------------------------------------------------------- several brokers


def test_every_failure_leads_to_the_next_broker_and_round() -> None:
    brokers, tried = Brokers(3), []
    for _ in range(7):
        tried.append(brokers.at)
        brokers.failed()
    assert tried == [0, 1, 2, 0, 1, 2, 0]


def test_a_proven_link_that_is_lost_leads_to_the_preferred_broker() -> None:
    brokers = Brokers(3)
    brokers.failed()
    brokers.up(10.0)
    brokers.proven()
    brokers.failed()
    assert brokers.at == 0
    brokers.up(20.0)
    brokers.failed()  # lost before it was proven
    assert brokers.at == 1


def test_the_preferred_broker_is_looked_for_ever_more_rarely_while_it_does_not_last() -> None:
    brokers, now, waits = Brokers(2), 0.0, []
    brokers.failed()
    brokers.up(now)
    for _ in range(6):
        since = now
        while not brokers.due(now):
            now += 10
        waits.append(now - since)
        brokers.back()
        assert brokers.at == 0
        brokers.failed()  # there, and of no use
        assert brokers.at == 1
        brokers.up(now)
        brokers.proven()
    assert waits == [300, 600, 1200, 2400, 3600, 3600]
    brokers.back()
    brokers.up(now)
    brokers.proven()
    brokers.failed()
    assert brokers.at == 0
    brokers.failed()
    brokers.up(now)
    assert not brokers.due(now + RETURN_S - 1)
    assert brokers.due(now + RETURN_S)
    brokers.away(now + RETURN_S)
    assert not brokers.due(now + RETURN_S + 1)


def test_with_one_broker_there_is_no_other() -> None:
    brokers = Brokers(1)
    brokers.failed()
    brokers.up(0.0)
    assert brokers.at == 0
    assert not brokers.due(1e9)
