"""Orders from the topic to the answer, one after the other.

    read and proven -> known already? its answer again -> fresh? allowed? -> noted down -> carried out -> answered

Noted down is on disk, in the audit log and in the table of orders, before anything moves; a disk that does not take
it within `STORAGE_S` refuses the order. Every order ends in the audit log, as an event and as a reply. What was begun
when the process ended is answered as unknown at the next start, and never tried again.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from agent.audit import AuditError, AuditLog
from agent.blocking import in_thread
from agent.commands.challenge import Challenges
from agent.commands.gate import Gate, NewKeys, Order, Reading, Refused
from agent.commands.inbox import Given, Inbox, InboxError
from agent.commands.trust import Trust
from agent.commands.verbs import Result, Verbs
from agent.contract import MAX_MESSAGE_BYTES
from agent.contract.commands import UNPROVEN, CommandReply, Refusal, Verb, Verdict
from agent.contract.jws import Token
from agent.contract.messages import EncryptionKey
from agent.contract.text import dumps
from agent.events import Event, JsonValue, Kind
from agent.supervisor import Boundary
from drivers.base import Clock, ConfigError

_log = logging.getLogger(__name__)
WAITING: Final = 64
"""Orders that may wait; what comes then is passed over and counted: its sender hears nothing, and asks again."""
STORAGE_S: Final = 5.0
CARRY_OUT_S: Final = 30.0
"""Orders wait for one another; one that hangs holds up the next no longer than this."""
TOLD_BYTES: Final = 1000
"""Of a list in the audit log; a record there is never longer than 4 kB."""
TOLD_A_MINUTE: Final = 30
TOLD_AN_HOUR: Final = 120
"""So many refusals are recorded one by one; those beyond are counted, and told together: 1.3 MB a day at the most."""

T = TypeVar("T")


class Commands:
    """`say` takes an event, `reply` an id and a document for `reply/{id}`, `on_turn` hears of each new challenge."""

    def __init__(
        self,
        gateway: str,
        clock: Clock,
        *,
        trust: Trust,
        per_minute: int,
        signed_receipts: bool,
        inbox: Inbox,
        audit: AuditLog,
        verbs: Verbs,
        say: Callable[[Event], None],
        reply: Callable[[str, bytes], None],
        on_turn: Callable[[], None] = lambda: None,
        encryption: EncryptionKey | None = None,
    ) -> None:
        self.dropped = 0
        self.trust = trust
        self.encryption = encryption
        self._gateway = gateway
        self._signed_receipts = signed_receipts
        self._clock = clock
        self._challenges = Challenges(clock)
        self._gate = Gate(gateway, trust, self._challenges, per_minute)
        self._inbox = inbox
        self._audit = audit
        self._verbs = verbs
        self._say = say
        self._reply = reply
        self._on_turn = on_turn
        self._waiting: deque[tuple[str, bytes, bool]] = deque()
        self._news = asyncio.Event()
        self._refusals = _Refusals(clock)

    @property
    def challenge(self) -> str | None:
        """For `status`; None while no order can be proven."""
        return self._challenges.word if self.trust.rooted else None

    def snapshot(self) -> Mapping[str, JsonValue]:
        """For `gatehouse status`."""
        return {"rooted": self.trust.rooted, "keys": self.trust.version, "signed_receipts": self._signed_receipts}

    def received(self, verb: str, payload: bytes, *, retained: bool) -> None:
        """At once. Of what is too long no more is kept than it takes to say so."""
        if len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append((verb, payload[: MAX_MESSAGE_BYTES + 1], retained))
        self._news.set()

    def prove(self, receipt: bytes) -> bytes:
        """The document of a receipt. Raises: FlawError when it is not to be believed."""
        if self._signed_receipts:
            return self.trust.receipt(receipt)
        return receipt if receipt.startswith(b"{") else Token.parse(receipt).payload

    def heard(self, event: Event) -> None:
        """Every event that is recorded: rules answer by them."""
        self._verbs.asking.heard(event)

    async def run(self, waiting: frozenset[str] = frozenset()) -> None:
        """Until cancelled. Orders `waiting` for their last word get it from somebody else."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve(waiting), name="commands:serve")
            group.create_task(self._turn(), name="commands:challenge")

    async def _settle(self, waiting: frozenset[str]) -> None:
        """Answer what was begun when the process ended."""
        try:
            unfinished = await self._disk(self._inbox.unfinished)
        except (InboxError, TimeoutError) as error:
            _log.error("orders that were not ended are not known: %s", error)
            return
        for given in unfinished:
            if given.id not in waiting:
                result = Result(Verdict.UNKNOWN, message="the gateway stopped while it was carried out")
                await self.end(given.id, Verb(given.verb), given.signer, result)

    async def end(self, order_id: str, verb: Verb, who: str, result: Result) -> None:
        """Note down how it ended, and tell it."""
        answer = self._answer(order_id, verb, result)
        facts = _facts(order_id, verb, result)

        def note() -> None:
            self._inbox.end(order_id, answer)
            self._audit.append(who, "command.ended", **facts)

        try:
            await self._disk(note)
        except (InboxError, AuditError, TimeoutError) as error:
            _log.error("how order %s ended cannot be noted down: %s", order_id, error)
        kind = Kind.COMMAND_REFUSED if result.outcome is Verdict.REFUSED else Kind.COMMAND_DONE
        self._tell(kind, {"by": who, **facts})
        self._reply(order_id, answer)

    # ------------------------------------------------------------ private

    async def _turn(self) -> None:
        while True:
            await self._clock.sleep(self._challenges.turns_in_s)
            if self.trust.rooted:
                self._on_turn()

    async def _serve(self, waiting: frozenset[str]) -> None:
        """A bug that one order meets costs that order; doors and the next order do not suffer."""
        boundary = Boundary("commands", lambda problem: _log.error("an order is not answered: %s", problem))
        with boundary:
            await self._settle(waiting)
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                with boundary:
                    await self._take(*self._waiting.popleft())

    async def _take(self, verb: str, payload: bytes, retained: bool) -> None:
        reading: Reading = Refused(Refusal.MALFORMED, "the order cannot be read")
        with Boundary("commands", lambda problem: _log.error("an order could not be read: %s", problem)):
            reading = self._gate.read(verb, payload, retained=retained)
        match reading:
            case Refused():
                await self._refuse(reading, payload)
            case NewKeys():
                await self._new_keys(reading)
            case Order():
                await self._order(reading, payload)

    async def _order(self, order: Order, payload: bytes) -> None:
        try:
            given = await self._disk(lambda: self._inbox.find(order.id))
        except (InboxError, TimeoutError) as error:
            await self._refuse(_cannot_store(order, error), payload)
            return
        if given is not None:
            await self._again(order, given, payload)
            return
        refusal = self._gate.admit(order, self._clock.mono_s(), self._clock.utc()) or await self._note(order)
        if refusal is not None:
            await self._refuse(refusal, payload)
            return
        result = Result(Verdict.FAILED, message="stopped by a bug; see the gateway's log")
        with Boundary("commands", lambda problem: _log.error("order %s: %s", order.id, problem)):
            result = await self._carried_out(order)
        if result.outcome is Verdict.STARTED:
            self._reply(order.id, self._answer(order.id, order.verb, result))
        else:
            await self.end(order.id, order.verb, order.who, result)
        if result.after is not None:
            result.after()

    async def _carried_out(self, order: Order) -> Result:
        try:
            async with self._clock.timeout(CARRY_OUT_S):
                return await self._verbs.carry_out(order)
        except TimeoutError:
            reason = f"it was not done within {CARRY_OUT_S:.0f} s, and may yet be"
            return Result(Verdict.UNKNOWN, Refusal.NO_ANSWER.value, reason)

    async def _again(self, order: Order, given: Given, payload: bytes) -> None:
        if given.digest != order.digest:
            message = f"there was another order {order.id}"
            await self._refuse(Refused(Refusal.ID_REUSED, message, order.verb, order.id, order.signer), payload)
            return
        open_end = Result(Verdict.UNKNOWN, message="how it ended could not be noted down")
        if order.verb is Verb.CONFIGURATION:
            open_end = Result(Verdict.STARTED, message="it is on trial")
        self._reply(order.id, given.answer or self._answer(order.id, order.verb, open_end))

    async def _note(self, order: Order) -> Refused | None:
        """On disk before anything moves; why not, where it cannot be."""
        given = Given(order.id, order.digest, order.verb.value, order.who, None)

        def note() -> bool:
            self._audit.append(order.who, "command", id=order.id, verb=order.verb.value, args=_told(order))
            return self._inbox.begin(given)

        try:
            begun = await self._disk(note)
        except (InboxError, AuditError, TimeoutError) as error:
            return _cannot_store(order, error)
        return None if begun else Refused(Refusal.ID_REUSED, "given twice at once", order.verb, order.id, order.signer)

    async def _new_keys(self, new: NewKeys) -> None:
        facts: dict[str, JsonValue] = {"version": new.keys.version, "count": len(new.keys.keys)}
        result = Result(Verdict.DONE, data=facts)
        if new.token != self.trust.token:

            def keep() -> None:
                self._audit.append("root", "keys", **facts)
                self.trust.keep(new.token)

            try:
                await self._disk(keep)
            except (ConfigError, AuditError, TimeoutError) as error:
                result = Result(Verdict.REFUSED, Refusal.STORAGE.value, str(error))
            else:
                self.trust.use(new.token, new.keys)
                self._say(Event(Kind.KEYS_CHANGED, "commands", self._clock.mono_s(), facts))
                self._on_turn()
        self._reply(new.id, self._answer(new.id, Verb.KEYS, result))

    async def _refuse(self, refused: Refused, payload: bytes) -> None:
        """An order that nobody of ours vouches for gets no answer: its id may be anybody's."""
        proven = refused.signer is not None
        who = _signer(refused) if proven else "root" if refused.id else "unknown"
        facts: dict[str, JsonValue] = {"reason": refused.refusal.value, "message": refused.message[:300]}
        if refused.verb is not None:
            facts["verb"] = refused.verb.value
        if refused.id:
            facts["id"] = refused.id
        if refused.id and refused.verb is not None:
            result = Result(Verdict.REFUSED, refused.refusal.value, refused.message)
            self._reply(refused.id, self._answer(refused.id, refused.verb, result))
        passed_over = self._refusals.count()
        if passed_over is None:
            return
        _log.warning("an order is refused: %s", refused.message)
        if passed_over:
            facts["others"] = passed_over
        digest = hashlib.sha256(payload).hexdigest()
        try:
            await self._disk(lambda: self._audit.append(who, "command.refused", digest=digest, **facts))
        except (AuditError, TimeoutError) as error:
            _log.error("a refusal cannot be noted down: %s", error)
        kind = Kind.COMMAND_FORGED if refused.refusal in UNPROVEN and not proven else Kind.COMMAND_REFUSED
        self._tell(kind, {"by": who, **facts})

    def _answer(self, order_id: str, verb: Verb, result: Result) -> bytes:
        return CommandReply(
            id=order_id,
            gateway=self._gateway,
            verb=verb,
            outcome=result.outcome,
            reason=result.reason,
            message=result.message[:1000],
            data=result.data,
        ).payload()

    def _tell(self, kind: Kind, facts: Mapping[str, JsonValue]) -> None:
        self._say(Event(kind, "commands", self._clock.mono_s(), facts))

    async def _disk(self, work: Callable[[], T]) -> T:
        """Raises: TimeoutError when the disk does not answer; whatever `work` does may still come to be."""
        async with self._clock.timeout(STORAGE_S):
            return await in_thread("commands", work)


class _Refusals:
    """Whoever can write to the topic must not fill the disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_s: deque[float] = deque()
        """When, within the last hour."""
        self._passed_over = 0

    def count(self) -> int | None:
        """None when this one is to be passed over; otherwise how many were before it."""
        now, told_s = self._clock.mono_s(), self._told_s
        while told_s and told_s[0] <= now - 3600.0:
            told_s.popleft()
        if len(told_s) >= TOLD_AN_HOUR or sum(at_s > now - 60.0 for at_s in told_s) >= TOLD_A_MINUTE:
            self._passed_over += 1
            return None
        told_s.append(now)
        passed_over, self._passed_over = self._passed_over, 0
        return passed_over


def _signer(refused: Refused) -> str:
    assert refused.signer is not None
    return f"{refused.signer.name} ({refused.signer.kid})"


def _cannot_store(order: Order, error: Exception) -> Refused:
    reason = str(error) or f"the disk has not answered for {STORAGE_S:.0f} s"
    return Refused(Refusal.STORAGE, f"the order cannot be noted down: {reason}", order.verb, order.id, order.signer)


def _facts(order_id: str, verb: Verb, result: Result) -> dict[str, JsonValue]:
    facts: dict[str, JsonValue] = {"id": order_id, "verb": verb.value, "outcome": result.outcome.value}
    if result.reason is not None:
        facts["reason"] = result.reason
    if result.message:
        facts["message"] = result.message[:300]
    return facts


def _told(order: Order) -> Mapping[str, JsonValue]:
    """Of what was asked, what the audit log may say: no card, and nothing long."""
    told: dict[str, JsonValue] = {}
    for name, value in order.command.args.items():
        if isinstance(value, str) and len(value) > 200:
            told[name] = f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
        elif isinstance(value, list) and len(dumps(value)) > TOLD_BYTES:
            told[name] = f"{len(value)} entries"
        else:
            told[name] = value
    return told
