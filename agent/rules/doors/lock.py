"""From what asks for the lock to be open to what the relay is told.

The relay is never told to be on for longer than a pulse, however long the door stays unlocked: should the process
hang, the lock falls back within that time.
"""

from dataclasses import replace

from agent.rules.doors.state import Lock
from agent.rules.doors.turn import Turn

PULSE_S = 10.0
RENEW_S = 5.0
"""A pulse is renewed when so much of it is left."""
GRACE_S = 0.75
"""After relocking the door may still open unforced: it was moving, or its contact is polled or debounced."""


def drive(turn: Turn) -> None:
    now_s, ends_s, on_until_s = turn.now_s, turn.release.ends_s, turn.lock.on_until_s
    if ends_s <= now_s:
        if on_until_s is not None or turn.assert_lock:
            turn.switch_lock(on=False)
        turn.lock = Lock(None, min(turn.lock.may_open_until_s, now_s + GRACE_S))
        turn.release = replace(turn.release, extended=False)
        return
    lasts = ends_s - now_s <= PULSE_S
    if on_until_s is None or turn.assert_lock:
        due = True
    else:
        due = on_until_s != ends_s if lasts else on_until_s - now_s <= RENEW_S
    if due:
        on_until_s = ends_s if lasts else now_s + PULSE_S
        turn.switch_lock(on=True, for_s=on_until_s - now_s)
    turn.lock = Lock(on_until_s, ends_s + GRACE_S)


def wake_at(turn: Turn) -> float | None:
    """When the relay must be told something new."""
    if turn.lock.on_until_s is None:
        return None
    ends_s = turn.release.ends_s
    return ends_s if ends_s - turn.now_s <= PULSE_S else turn.lock.on_until_s - RENEW_S
