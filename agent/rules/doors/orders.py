"""What a guard or a signed command asks of a door; each order is carried out or refused, and either is an event."""

from dataclasses import replace
from typing import assert_never

from agent.events import JsonValue, Kind
from agent.rules.doors import release
from agent.rules.doors.access import Denial
from agent.rules.doors.turn import Turn
from agent.rules.passage import ORDERED, Fact
from agent.rules.step import Order, Verb

LONGEST_S = 24 * 3600.0
"""Longer than this is not a time but KEEP_UNLOCKED."""


def carry_out(turn: Turn, order: Order) -> None:
    refusal = _try(turn, order)
    facts: dict[str, JsonValue] = {"verb": order.verb.value, "origin": order.origin}
    if refusal is not None:
        turn.say(Kind.ORDER_REFUSED, turn.now_s, {"reason": refusal.value, **facts})
    elif order.verb in (Verb.UNLOCK, Verb.KEEP_UNLOCKED):
        turn.say(Kind.ACCESS_GRANTED, turn.now_s, {"by": "order", **facts})
    else:
        turn.say(Kind.ORDER_DONE, turn.now_s, facts)


def _try(turn: Turn, order: Order) -> Denial | None:
    match order.verb:
        case Verb.UNLOCK:
            return _unlock(turn, turn.door.unlock_s if order.for_s is None else order.for_s)
        case Verb.KEEP_UNLOCKED:
            return _keep_unlocked(turn)
        case Verb.LOCK:
            return _lock(turn)
        case Verb.LOCKDOWN:
            release.lock_down(turn, order.origin)
        case Verb.END_LOCKDOWN:
            release.end_lockdown(turn, order.origin)
        case Verb.RESET_FIRE:
            return release.reset_fire(turn, order.origin, turn.now_s) if order.local else Denial.NOT_LOCAL
        case Verb.ON | Verb.OFF:
            return Denial.NO_SWITCH
        case _:
            assert_never(order.verb)
    return None


def _unlock(turn: Turn, for_s: float) -> Denial | None:
    if not 0 < for_s <= LONGEST_S:
        return Denial.BAD_TIME
    refusal = release.obstacle(turn)
    if refusal is None:
        release.grant(turn, for_s)
        turn.tell_passage(Fact.LET_IN, ORDERED)
    return refusal


def _keep_unlocked(turn: Turn) -> Denial | None:
    refusal = release.obstacle(turn)
    if refusal is None:
        turn.release = replace(turn.release, keep=True)
        turn.assert_lock = True
    return refusal


def _lock(turn: Turn) -> Denial | None:
    """Ends what cards, orders and the schedule asked for; a request to exit keeps its time."""
    if turn.release.fire:
        return Denial.FIRE
    release.revoke(turn)
    turn.release = replace(turn.release, free_refused=True)
    turn.assert_lock = True
    return None
