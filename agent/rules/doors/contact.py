"""The leaf: opened and closed, forced, and held open with a warning before."""

from dataclasses import replace
from math import inf

from agent.events import Kind
from agent.rules.doors.state import Contact
from agent.rules.doors.turn import Turn

SOUND_S = 180.0
"""The sounder of a door that is not closed gives up after this."""


def note_time(turn: Turn) -> None:
    """Warn and raise what has become due."""
    contact, now_s = turn.contact, turn.now_s
    if contact.warn_at_s is not None and contact.warn_at_s <= now_s:
        turn.say(Kind.DOOR_HELD_SOON, contact.warn_at_s, {"open_s": _since(contact, contact.warn_at_s)})
        turn.contact = replace(contact, warn_at_s=None)
        _sound(turn)
    contact = turn.contact
    if contact.held_at_s is not None and contact.held_at_s <= now_s:
        turn.say(Kind.DOOR_HELD, contact.held_at_s, {"open_s": _since(contact, contact.held_at_s)})
        turn.contact = replace(contact, held=True, held_at_s=None)
        _sound(turn)


def opened(turn: Turn, at_s: float) -> None:
    before = turn.contact
    known = before.open is not None
    allowed = not known or before.shunted or at_s <= max(turn.lock.may_open_until_s, before.shunt_until_s)
    turn.contact = replace(before, open=True, opened_at_s=turn.now_s, forced=not allowed)
    if known:
        turn.say(Kind.DOOR_OPENED, at_s, {})
    if not allowed:
        turn.say(Kind.DOOR_FORCED, at_s, {})


def closed(turn: Turn, at_s: float) -> None:
    before = turn.contact
    turn.contact = replace(
        before, open=False, forced=False, held=False, warn_at_s=None, held_at_s=None, shunt_until_s=-inf
    )
    if before.open is None:
        return
    _silence(turn)
    open_s = _since(before, turn.now_s)
    turn.say(Kind.DOOR_CLOSED, at_s, {"open_s": open_s})
    if before.forced:
        turn.say(Kind.DOOR_FORCED_RESTORED, at_s, {"open_s": open_s})
    if before.held:
        turn.say(Kind.DOOR_HELD_RESTORED, at_s, {"open_s": open_s})


def set_timers(turn: Turn) -> None:
    """An open door's time runs, except while a fire, an order or a schedule keeps the door unlocked."""
    contact, release, door = turn.contact, turn.release, turn.door
    if not contact.open or contact.held:
        return
    if release.fire or release.keep or release.free:
        turn.contact = replace(contact, warn_at_s=None, held_at_s=None)
        _silence(turn)
    elif contact.held_at_s is None:
        held_at_s = turn.now_s + door.held_s + (door.extended_s if release.extended else 0.0)
        warn_at_s = held_at_s - door.pre_alarm_s if door.pre_alarm_s else None
        turn.contact = replace(contact, warn_at_s=warn_at_s, held_at_s=held_at_s)


def _sound(turn: Turn) -> None:
    if not turn.contact.sounding:
        turn.contact = replace(turn.contact, sounding=True)
        turn.sound(on=True, for_s=SOUND_S)


def _silence(turn: Turn) -> None:
    if turn.contact.sounding:
        turn.contact = replace(turn.contact, sounding=False)
        turn.sound(on=False)


def _since(contact: Contact, until_s: float) -> float:
    return round(until_s - contact.opened_at_s, 3)
