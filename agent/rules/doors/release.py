"""Who asks for the lock: fire, egress, order, schedule and passage, in this order of precedence.

Fire and egress are asked of nobody; lockdown and the interlock partner stop what stands below them.
"""

from dataclasses import replace
from math import inf

from agent.events import Kind
from agent.rules.doors.access import Calendar, Denial
from agent.rules.doors.lock import GRACE_S
from agent.rules.doors.state import Standing
from agent.rules.doors.turn import Turn
from agent.settings import Relock

RELOCK_S = 0.5
"""From the leaf's movement to relocking: it must have left the frame, or the latch have fallen in."""
LOOK_S = 30.0
"""A schedule is looked at this often at least: the wall clock may have been set."""
_SOON_S = 0.05


def grant(turn: Turn, for_s: float, *, extended: bool = False) -> None:
    """Unlock for a time; a grant never shortens another."""
    release = turn.release
    turn.release = replace(
        release,
        until_s=max(release.until_s, turn.now_s + for_s),
        passed=False,
        extended=extended or (release.extended and release.until_s > turn.now_s),
    )
    turn.assert_lock = True


def resume(turn: Turn, standing: Standing) -> None:
    """Take up at the start what nobody has ended: an alarm that is raised again.

    A fire input not heard of yet counts as still in alarm.
    """
    fire = standing.fire and turn.door.fire is not None
    turn.release = replace(turn.release, fire_input=fire, fire=fire, lockdown=standing.lockdown)
    if fire:
        turn.say(Kind.FIRE_RELEASE, turn.now_s, {"point": turn.door.fire})
    if standing.lockdown:
        turn.say(Kind.LOCKDOWN, turn.now_s, {"origin": "restart"})


def revoke(turn: Turn) -> None:
    """End what cards and orders have asked for, for good; whoever has not passed by now is not expected any more."""
    turn.release = replace(turn.release, until_s=-inf, keep=False)
    turn.entry = replace(turn.entry, expected_until_s=min(turn.entry.expected_until_s, turn.now_s + GRACE_S))


def partner(turn: Turn, *, busy: bool) -> None:
    """The interlock partner is open or unlocked, or no longer.

    It may be so in spite of a grant here, by fire, egress or force; both doors must not be open then.
    """
    turn.partner_busy = busy
    if not busy:
        return
    if turn.release.keep or turn.release.until_s > turn.now_s:
        facts = {"reason": Denial.INTERLOCK.value, "partner": turn.door.interlock, "kept": turn.release.keep}
        turn.say(Kind.ACCESS_ENDED, turn.now_s, facts)
    revoke(turn)


def obstacle(turn: Turn) -> Denial | None:
    """What stands above any card or order."""
    if turn.release.lockdown:
        return Denial.LOCKED_DOWN
    return Denial.INTERLOCK if turn.partner_busy else None


def is_free(turn: Turn) -> bool:
    """Whether the door stands unlocked to everybody."""
    return turn.release.fire or turn.release.keep or turn.release.free


def request_to_exit(turn: Turn, wanted: bool, at_s: float) -> None:
    was_wanted = turn.release.rex or turn.contact.shunted
    if wanted and not was_wanted:
        turn.say(Kind.EGRESS, at_s, {"unlocks": turn.door.rex_unlocks})
    until_s = turn.now_s + turn.door.unlock_s
    if not turn.door.rex_unlocks:
        if wanted or was_wanted:
            turn.contact = replace(turn.contact, shunted=wanted, shunt_until_s=until_s)
    elif wanted:
        passed = turn.release.passed and was_wanted
        turn.release = replace(turn.release, rex=True, egress_until_s=until_s, passed=passed)
        turn.assert_lock = True
    elif was_wanted:
        turn.release = replace(turn.release, rex=False, egress_until_s=until_s)
        relock_after_passage(turn)


def fire_input(turn: Turn, on: bool, at_s: float) -> None:
    latched = turn.release.fire
    turn.release = replace(turn.release, fire_input=on, fire=latched or on)
    if on:
        turn.assert_lock = True
        if not latched:
            turn.say(Kind.FIRE_RELEASE, at_s, {"point": turn.door.fire})


def reset_fire(turn: Turn, origin: str, at_s: float) -> Denial | None:
    """End the latch. Returns why not, when the alarm still stands."""
    if turn.release.fire_input:
        return Denial.FIRE_INPUT
    if turn.release.fire:
        turn.release = replace(turn.release, fire=False)
        turn.say(Kind.FIRE_RELEASE_RESTORED, at_s, {"origin": origin})
    return None


def lock_down(turn: Turn, origin: str) -> None:
    if not turn.release.lockdown:
        turn.release = replace(turn.release, lockdown=True)
        revoke(turn)
        turn.say(Kind.LOCKDOWN, turn.now_s, {"origin": origin})


def end_lockdown(turn: Turn, origin: str) -> None:
    if turn.release.lockdown:
        turn.release = replace(turn.release, lockdown=False)
        turn.say(Kind.LOCKDOWN_RESTORED, turn.now_s, {"origin": origin})


def follow_schedule(turn: Turn, calendar: Calendar) -> None:
    """Free access while the door's schedule holds; never without a trusted clock."""
    schedule, release = turn.door.free_access, turn.release
    if schedule is None:
        return
    holds, next_s = False, LOOK_S
    if turn.utc is not None:
        holds = calendar.active(schedule, turn.utc)
        next_s = min(LOOK_S, (calendar.next_change(schedule, turn.utc) - turn.utc).total_seconds())
    turn.look_again_s = turn.now_s + max(next_s, _SOON_S)
    refused = release.free_refused and (holds or turn.utc is None)
    free = holds and not refused and obstacle(turn) is None
    turn.release = replace(release, free=free, free_refused=refused)
    if free and not release.free:
        turn.say(Kind.FREE_ACCESS, turn.now_s, {"schedule": schedule})
    elif release.free and not free:
        reason = "order" if refused else obstacle(turn) or ("schedule" if turn.utc is not None else "no_clock")
        turn.say(Kind.FREE_ACCESS_ENDED, turn.now_s, {"schedule": schedule, "reason": str(reason)})


def opened(turn: Turn) -> None:
    turn.release = replace(turn.release, passed=turn.release.ends_s > turn.now_s)
    if turn.door.relock is Relock.OPEN:
        relock_after_passage(turn)


def relock_after_passage(turn: Turn) -> None:
    """Whoever was let in has come and gone; a second grant while the door stood open still counts."""
    if _passed(turn) and not turn.release.rex:
        soon_s = turn.now_s + RELOCK_S
        release = turn.release
        turn.release = replace(
            release, until_s=min(release.until_s, soon_s), egress_until_s=min(release.egress_until_s, soon_s)
        )


def _passed(turn: Turn) -> bool:
    return turn.release.passed and (turn.door.relock is Relock.OPEN or not turn.contact.open)
