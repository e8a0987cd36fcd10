"""From card and PIN to a decision.

A duress PIN is a right PIN in everything a person at the door or at the guard's page can see, hear or time; it only
adds events that are for the centre alone.
"""

from collections.abc import Mapping
from dataclasses import replace

from agent.events import JsonValue, Kind
from agent.rules.doors import release
from agent.rules.doors.access import Access, Denial, Verdict
from agent.rules.doors.lock import GRACE_S
from agent.rules.doors.state import PinWait
from agent.rules.doors.turn import Turn, passed_ref
from agent.rules.passage import GRANTED, Fact
from agent.settings import PinMode
from drivers.base import Card, Cue

MAX_KEYS = 32
"""More keys than any PIN has; what follows them is not kept."""
_CLEAR, _ENTER = "*", "#"


def note_time(turn: Turn) -> None:
    """End the wait for a PIN, and the reader's rest after wrong ones."""
    entry, now_s = turn.entry, turn.now_s
    if entry.waiting is not None and entry.waiting.until_s <= now_s:
        _refuse(turn, Denial.PIN_TIMEOUT, entry.waiting.until_s, entry.waiting.facts)
    until_s = turn.entry.locked_out_until_s
    if until_s is not None and until_s <= now_s:
        turn.entry = replace(turn.entry, locked_out_until_s=None, wrong=0)
        turn.say(Kind.READER_LOCKED_OUT_RESTORED, until_s, {"reader": turn.door.reader})


def card(turn: Turn, shown: Card, verdict: Verdict, at_s: float) -> None:
    facts: dict[str, JsonValue] = {"card": verdict.reference, "bits": shown.bits, "reader": turn.door.reader}
    turn.entry = replace(turn.entry, waiting=None)
    refusal: str | None = verdict.reason
    if turn.entry.locked_out_until_s is not None:
        refusal = Denial.TOO_MANY_TRIES
    elif refusal is None:
        refusal = _obstacle(turn, verdict.reference, exempt=verdict.exempt)
    asks = turn.door.pin is PinMode.CARD_AND_PIN
    if refusal is None and asks and verdict.pin != "required":
        refusal = Denial.NO_PIN
    if refusal is not None:
        _refuse(turn, refusal, at_s, facts)
        return
    wait_s = turn.door.pin_timeout_s * (2 if verdict.extended else 1)
    wait = PinWait(verdict.reference, verdict.extended, verdict.exempt, facts, turn.now_s + wait_s)
    if asks:
        turn.entry = replace(turn.entry, waiting=wait)
        turn.cue(Cue.PIN)
    else:
        _admit(turn, wait, "card", at_s, duress=False)


def keys(turn: Turn, digits: str, access: Access, at_s: float) -> None:
    """Keys without a card before them mean nothing; `*` begins anew, `#` ends the PIN."""
    for key in digits:
        wait = turn.entry.waiting
        if wait is None:
            return
        if key == _ENTER and wait.digits:
            _pin(turn, wait, access.check_pin(wait.reference, wait.digits), at_s)
        elif key != _ENTER:
            typed = "" if key == _CLEAR else (wait.digits + key)[:MAX_KEYS]
            turn.entry = replace(turn.entry, waiting=replace(wait, digits=typed))


def forget(turn: Turn) -> None:
    """The reader is gone: nobody can finish what was begun."""
    turn.entry = replace(turn.entry, waiting=None)


def opened(turn: Turn, at_s: float) -> None:
    """Those expected have passed."""
    entry = turn.entry
    if entry.expected and turn.now_s <= entry.expected_until_s:
        _passed(turn, at_s)


def heard(turn: Turn, reference: str, passed_s: float) -> None:
    """A card has passed at this door or at another of its area."""
    since_s = turn.now_s - turn.door.anti_passback_s
    kept = {name: at_s for name, at_s in turn.entry.passages.items() if at_s > since_s}
    turn.entry = replace(turn.entry, passages={**kept, reference: passed_s})


def _pin(turn: Turn, wait: PinWait, result: str, at_s: float) -> None:
    turn.entry = replace(turn.entry, waiting=None)
    if result not in ("ok", "duress"):
        _wrong(turn, wait, at_s)
        return
    turn.entry = replace(turn.entry, wrong=0)
    if result == "duress":
        turn.say(Kind.DURESS, at_s, wait.facts)
    refusal = _obstacle(turn, wait.reference, exempt=wait.exempt)
    if refusal is None:
        _admit(turn, wait, "card+pin", at_s, duress=result == "duress")
    else:
        _refuse(turn, refusal, at_s, wait.facts)


def _wrong(turn: Turn, wait: PinWait, at_s: float) -> None:
    entry, door, now_s = turn.entry, turn.door, turn.now_s
    wrong = entry.wrong + 1 if now_s - entry.wrong_at_s <= door.lockout_s else 1
    turn.entry = replace(entry, wrong=wrong, wrong_at_s=now_s)
    _refuse(turn, Denial.WRONG_PIN, at_s, wait.facts)
    if wrong >= door.max_wrong:
        turn.entry = replace(turn.entry, locked_out_until_s=now_s + door.lockout_s)
        turn.say(Kind.READER_LOCKED_OUT, at_s, {"reader": door.reader, "tries": wrong, "for_s": door.lockout_s})


def _obstacle(turn: Turn, reference: str, *, exempt: bool) -> Denial | None:
    above = release.obstacle(turn)
    if above is not None or exempt or not turn.door.anti_passback_s:
        return above
    passed_s = turn.entry.passages.get(reference)
    again = passed_s is not None and turn.now_s - passed_s < turn.door.anti_passback_s
    return Denial.ANTI_PASSBACK if again else None


def _admit(turn: Turn, wait: PinWait, by: str, at_s: float, *, duress: bool) -> None:
    door, entry, now_s = turn.door, turn.entry, turn.now_s
    for_s = door.extended_s if wait.extended else door.unlock_s
    release.grant(turn, for_s, extended=wait.extended)
    turn.say(Kind.ACCESS_GRANTED, at_s, {"by": by, **wait.facts})
    turn.cue(Cue.GRANTED)
    turn.tell_passage(Fact.LET_IN, GRANTED)
    pending = now_s <= entry.expected_until_s
    turn.entry = replace(
        entry,
        expected=(*(entry.expected if pending else ()), wait.reference),
        expected_until_s=now_s + for_s + GRACE_S,
        duress=duress or (entry.duress and pending),
    )
    if door.contact is None or turn.contact.open:
        _passed(turn, at_s)


def _passed(turn: Turn, at_s: float) -> None:
    entry = turn.entry
    turn.entry = replace(entry, expected=(), duress=False)
    if entry.duress:
        turn.say(Kind.DURESS_ENTRY, at_s, {"reader": turn.door.reader})
    if turn.door.anti_passback_s:
        for reference in dict.fromkeys(entry.expected):
            heard(turn, reference, turn.now_s)
            turn.tell(passed_ref(turn.door), reference)


def _refuse(turn: Turn, reason: str, at_s: float, facts: Mapping[str, JsonValue]) -> None:
    turn.entry = replace(turn.entry, waiting=None)
    data: dict[str, JsonValue] = {"reason": str(reason), **facts}
    if reason == Denial.INTERLOCK:
        data["partner"] = turn.door.interlock
    turn.say(Kind.ACCESS_DENIED, at_s, data)
    turn.cue(Cue.DENIED)
