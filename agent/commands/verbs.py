"""What each order does. Everything it can reach is given to it as a callable (`Site`); it knows no device."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, assert_never

from agent.audit import AuditError, AuditLog
from agent.blocking import in_thread
from agent.commands.asking import Answer, Asking
from agent.commands.gate import Order
from agent.commands.seal import Parts, Seal, SealError
from agent.configuration import RejectionError
from agent.contract import Request
from agent.contract.commands import (
    AuditArgs,
    ConfigurationArgs,
    CredentialsArgs,
    Handled,
    HandlingArgs,
    LockArgs,
    LockdownArgs,
    OutputArgs,
    Refusal,
    ResendArgs,
    RestartArgs,
    SnapshotArgs,
    UnlockArgs,
    Verdict,
)
from agent.contract.text import dumps
from agent.credentials import ChangeRefused, apply_change
from agent.events import JsonValue
from agent.rules.step import Order as RuleOrder
from agent.rules.step import Verb as RuleVerb
from drivers.base import Clock, ConfigError, GatehouseError

AUDIT_BYTES: Final = 64 * 1024
"""Records in one answer; who wants more asks again from there."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an order ended. `after` is done once that is on disk and said."""

    outcome: Verdict
    reason: str | None = None
    message: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    after: Callable[[], None] | None = None


def refused(refusal: Refusal, message: str) -> Result:
    return Result(Verdict.REFUSED, refusal.value, message)


DONE: Final = Result(Verdict.DONE)


@dataclass(frozen=True, slots=True)
class Site:
    """What orders may reach. `order` puts one before the rules, `resend` takes a Request's payload."""

    doors: tuple[str, ...]
    outputs: frozenset[str]
    order: Callable[[RuleOrder], None]
    resend: Callable[[bytes], None]
    restart: Callable[[], None]
    audit: AuditLog
    credentials: Path | None = None
    """The card list."""
    seal: Seal | None = None
    handle: Callable[[str, Handled, str], Handled | None] = lambda *_: None
    picture: Callable[[str, str, str], Awaitable[str]] | None = None
    """Of a camera, under a name, for a reason: its name at the centre. Raises: GatehouseError."""
    propose: Callable[[str, str, str, float], None] | None = None
    """Puts another compound file on trial; raises RejectionError, ConfigError."""
    verified: Callable[[datetime], None] = lambda _: None
    """Hears of a time that a signer answers for."""


class Verbs:
    def __init__(self, site: Site, clock: Clock) -> None:
        self._site = site
        self._parts = Parts()
        self.asking = Asking(site.order, clock)

    async def carry_out(self, order: Order) -> Result:
        args = order.args
        match args:
            case UnlockArgs():
                verb = RuleVerb.KEEP_UNLOCKED if args.keep else RuleVerb.UNLOCK
                return await self._door(order, args.door, verb, args.for_s)
            case LockArgs():
                return await self._door(order, args.door, RuleVerb.LOCK)
            case LockdownArgs():
                return await self._lockdown(order, args)
            case OutputArgs():
                return await self._output(order, args)
            case ResendArgs():
                request = Request(
                    id=f"{order.id}-r", epoch=args.epoch, lane=args.lane, first=args.first, last=args.last
                )
                self._site.resend(request.payload())
                return Result(Verdict.DONE, data={"reply": request.id})
            case RestartArgs():
                return Result(Verdict.DONE, message="the gateway restarts", after=self._site.restart)
            case AuditArgs():
                return await self._audit(args)
            case SnapshotArgs():
                return await self._snapshot(order, args)
            case CredentialsArgs():
                return await self._credentials(args)
            case ConfigurationArgs():
                return await self._configuration(order, args)
            case HandlingArgs():
                return self._handling(args)
            case _:
                assert_never(args)

    async def _door(self, order: Order, door: str, verb: RuleVerb, for_s: float | None = None) -> Result:
        if door not in self._site.doors:
            return refused(Refusal.UNKNOWN_TARGET, f"there is no door {door}")
        return _result(await self._ask(order, door, verb, for_s))

    async def _lockdown(self, order: Order, args: LockdownArgs) -> Result:
        doors = args.doors or self._site.doors
        unknown = [door for door in doors if door not in self._site.doors]
        if unknown or not doors:
            return refused(Refusal.UNKNOWN_TARGET, f"there is no door {', '.join(unknown)}")
        verb = RuleVerb.LOCKDOWN if args.on else RuleVerb.END_LOCKDOWN
        answers = await asyncio.gather(*(self._ask(order, door, verb) for door in dict.fromkeys(doors)))
        amiss = {door: answer for door, answer in zip(dict.fromkeys(doors), answers, strict=True) if not answer.done}
        told: dict[str, JsonValue] = {door: answer.reason or Refusal.NO_ANSWER.value for door, answer in amiss.items()}
        if not amiss:
            return DONE
        return Result(Verdict.FAILED, Refusal.NO_ANSWER.value, "some doors did not follow", {"doors": told})

    async def _output(self, order: Order, args: OutputArgs) -> Result:
        if args.output not in self._site.outputs:
            return refused(Refusal.UNKNOWN_TARGET, f"{args.output} is not among commands.outputs")
        return _result(await self._ask(order, args.output, RuleVerb.ON if args.on else RuleVerb.OFF, args.for_s))

    def _ask(self, order: Order, target: str, verb: RuleVerb, for_s: float | None = None) -> Awaitable[Answer]:
        return self.asking.ask(RuleOrder(target, verb, f"command/{order.id}", for_s))

    def _handling(self, args: HandlingArgs) -> Result:
        state = self._site.handle(args.event, args.state, args.note)
        if state is None:
            return refused(Refusal.UNKNOWN_TARGET, f"{args.event} is no alarm that is kept here")
        return Result(Verdict.DONE, data={"event": args.event, "state": state.value})

    async def _snapshot(self, order: Order, args: SnapshotArgs) -> Result:
        if self._site.picture is None:
            return refused(Refusal.NOT_AVAILABLE, "this gateway takes no pictures")
        try:
            taken = await self._site.picture(args.camera, order.id, args.reason)
        except GatehouseError as error:
            return refused(Refusal.NOT_AVAILABLE, f"{error}; {error.hint}")
        return Result(Verdict.DONE, data={"snapshot": taken})

    async def _configuration(self, order: Order, args: ConfigurationArgs) -> Result:
        propose = self._site.propose
        if propose is None:
            return refused(Refusal.NOT_AVAILABLE, "this gateway runs without a file of its own")
        try:
            await in_thread("commands", lambda: propose(args.toml, order.id, order.who, args.within_s))
        except RejectionError as error:
            return refused(Refusal.INVALID, str(error))
        except ConfigError as error:
            return refused(Refusal.STORAGE, str(error))
        message = f"on trial after a restart, for {args.within_s:.0f} s"
        return Result(Verdict.STARTED, message=message, after=self._site.restart)

    async def _credentials(self, args: CredentialsArgs) -> Result:
        path, own = self._site.credentials, self._site.seal
        if path is None or own is None:
            return refused(Refusal.NOT_AVAILABLE, "this gateway keeps no card list, or has no key of its own")
        try:
            text = self._parts.add(args)
            if text is None:
                missing = args.parts - self._parts.here
                return Result(Verdict.DONE, message="waits for the other parts", data={"missing": missing})
            applied = await in_thread("commands", lambda: apply_change(path, own.unseal(text)))
        except SealError as error:
            return refused(Refusal.NOT_DECRYPTED, str(error))
        except ChangeRefused as error:
            return Result(Verdict.REFUSED, error.refusal.value, str(error))
        except ConfigError as error:
            return Result(Verdict.FAILED, Refusal.STORAGE.value, str(error))
        if applied.issued is not None:
            self._site.verified(applied.issued)
        facts: dict[str, JsonValue] = {"version": applied.version, "digest": applied.digest, "count": applied.count}
        return Result(Verdict.DONE, data=facts | {"put": applied.put, "dropped": applied.dropped})

    async def _audit(self, args: AuditArgs) -> Result:
        try:
            lines = await in_thread("commands", lambda: _records(self._site.audit, args.first, args.last))
        except AuditError as error:
            return Result(Verdict.FAILED, Refusal.STORAGE.value, str(error))
        return Result(Verdict.DONE, data={"records": list(lines)})


def _result(answer: Answer) -> Result:
    if answer.done:
        return DONE
    if answer.reason is None:
        return Result(Verdict.UNKNOWN, Refusal.NO_ANSWER.value, "nothing was heard of what it belongs to")
    return Result(Verdict.REFUSED, answer.reason, "what stands above it does not allow it now")


def _records(log: AuditLog, first: int, last: int) -> tuple[str, ...]:
    """Lines of the log as they stand there, so that the chain can be computed again."""
    found: list[str] = []
    size = 0
    for line in log.lines(first, last):
        size += len(dumps(line))  # as it stands in the answer: bytes, and quotes told apart
        if size > AUDIT_BYTES:
            break
        found.append(line)
    return tuple(found)
