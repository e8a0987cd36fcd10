"""When more arrives than the rules can take: of every truth value and state the newest is kept."""

from agent.inbox import Inbox
from agent.rules.step import Order, Verb
from drivers.base import Card, DeviceId, DeviceState, PointId, Reading, Status

LIMIT = 8


def read(point: str, value: bool | float | Card) -> Reading:
    return Reading(DeviceId("gpio"), PointId(point), value, 1.0)


def state(device: str, state: DeviceState) -> Status:
    return Status(DeviceId(device), state, 1.0)


def taken(inbox: Inbox) -> list[object]:
    found: list[object] = []
    while (given := inbox.take()) is not None:
        found.append(given)
    return found


def flooded() -> Inbox:
    inbox = Inbox(LIMIT)
    for number in range(LIMIT):
        inbox.put(read("noise", number % 2 == 0))
    return inbox


def test_a_line_that_flickers_takes_no_room_from_a_fire_or_a_button() -> None:
    inbox = flooded()
    told: list[Reading | Status] = [
        read("fire", value=True),
        read("rex", value=True),
        state("camera", DeviceState.FAULT),
    ]
    for given in told:
        inbox.put(given)
    for number in range(100):
        inbox.put(read("noise", number % 2 == 0))
    inbox.put(read("rex", value=False))
    found = taken(inbox)
    assert [given for given in found if given in told] == [told[0], told[2]]
    assert found[-2:] == [read("noise", value=False), read("rex", value=False)]
    assert len(found) == LIMIT + len(told)
    assert inbox.dropped == 100 + 1


def test_beyond_it_a_card_an_order_and_a_number_are_let_go() -> None:
    inbox = flooded()
    inbox.put(read("card", Card(26, 1)))
    inbox.put(Order("gate", Verb.UNLOCK, "guard"))
    inbox.put(read("temperature", 1.0))
    assert len(taken(inbox)) == LIMIT
    assert inbox.dropped == 3


def test_a_state_takes_the_place_of_the_one_before() -> None:
    inbox = Inbox(LIMIT)
    for _ in range(LIMIT):
        inbox.put(state("bus", DeviceState.FAULT))
    inbox.put(state("bus", DeviceState.OK))
    assert taken(inbox)[-1] == state("bus", DeviceState.OK)
    inbox.put(read("noise", value=True))
    assert taken(inbox) == [read("noise", value=True)]
