"""What the centre says about what it has: receipts release entries, or tell that the centre knows another history.

A receipt that does not fit means that this database was restored from an older copy, that there is a second one, or
that the receipt is forged. Nothing is released by it; a new epoch begins, at most once in `RENEW_EVERY_S`.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from agent.contract import LaneReceipt, Receipt
from agent.contract.commands import Refusal
from agent.contract.jws import FlawError
from agent.events import Lane
from agent.journal import ConfirmError, Journal
from agent.journal.database import StorageError
from drivers.base import Clock

_log = logging.getLogger(__name__)
CONFIRM_WITHIN_S: Final = 0.02
"""So long a confirmation may wait for a commit that it shares; with many events a second it costs none of its own.
What a crash takes of it is sent again.
"""
MAX_WAITING: Final = 64
"""Receipts not yet looked at; the oldest goes first: a newer one says at least as much."""
RENEW_EVERY_S: Final = 3600.0
"""Whoever can forge a receipt makes us begin a new epoch, and send again what is not confirmed, no more often."""
REJECTED_EVERY_S: Final = 3600.0
"""Rejections in one lane are told at once, and those that follow together, so that they do not chatter."""


class TroubleCode(StrEnum):
    REJECTED = "rejected"  # the centre cannot use entries; they are released and kept locally
    RECEIPT_MISMATCH = "receipt_mismatch"  # the receipt does not fit the journal; nothing is released
    RECEIPT_UNREADABLE = "receipt_unreadable"
    RECEIPT_FORGED = "receipt_forged"  # no key that may issue receipts vouches for it; nothing is released
    REFUSED = "refused"  # the broker refuses a lane's messages; tried again slowly
    SET_ASIDE = "set_aside"  # the broker cannot bear a message; it is declared lost and its lane goes on
    CERTIFICATE = "certificate"  # the gateway's own ends soon, or its successor cannot be used
    CERTIFICATE_WELL = "certificate_well"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something somebody must know; the link itself may be up. `count` is how many entries it is about."""

    code: TroubleCode
    reason: str
    lane: Lane | None = None
    sequence: int | None = None
    count: int = 1
    hint: str = ""


class Receipts:
    """Applies receipts one after the other; confirmations by PUBACK go the same way.

    `prove` makes the document of what came, and raises FlawError when it is not to be believed.
    """

    def __init__(
        self,
        gateway: str,
        journal: Journal,
        clock: Clock,
        on_trouble: Callable[[Trouble], None],
        prove: Callable[[bytes], bytes] = lambda payload: payload,
    ) -> None:
        self.counter = 0
        """The highest taken in this epoch; one that is not higher is stale."""
        self.stale = False
        """One was: perhaps the centre has lost its count, and the status must tell it ours."""
        self._gateway = gateway
        self._journal = journal
        self._clock = clock
        self._on_trouble = on_trouble
        self._prove = prove
        self._flawed: dict[TroubleCode, _Rejections] = {}
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._passed: dict[Lane, int] = {}
        self._heard: dict[Lane, LaneReceipt] = {}
        self._rejections: dict[Lane, _Rejections] = {}
        self._renewed_s = -math.inf
        self._withheld = False
        self._news = asyncio.Event()

    def received(self, payload: bytes) -> None:
        """An empty one only says that the broker has forgotten the last."""
        if payload:
            self._waiting.append(payload)
            self._news.set()

    def passed(self, lane: Lane, upto: int) -> None:
        """The broker has taken everything up to there, and that is all the proof asked for."""
        self._passed[lane] = max(upto, self._passed.get(lane, 0))
        self._news.set()

    def begin_anew(self) -> None:
        """Another epoch: what was said of the old one's numbers means nothing."""
        self.counter = 0
        self._passed.clear()
        self._heard.clear()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._read(self._waiting.popleft())
            if self._passed:
                passed, self._passed = self._passed, {}
                await self._journal.confirm_all((lane, upto, None) for lane, upto in passed.items())

    async def _read(self, payload: bytes) -> None:
        try:
            receipt = Receipt.model_validate_json(self._prove(payload))
        except FlawError as flaw:
            self._tell_forged(flaw)
            return
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])[:80]
            self._tell_flaw(TroubleCode.RECEIPT_UNREADABLE, f"receipt: {where}: {first['msg'][:200]}")
            return
        if receipt.gateway != self._gateway or receipt.epoch != self._journal.epoch:
            _log.info("receipt for %.40s, epoch %.40s, is not ours", receipt.gateway, receipt.epoch)
        elif receipt.counter <= self.counter:
            self.stale = True
            _log.info("receipt %d is older than %d", receipt.counter, self.counter)
        else:
            await self._apply(receipt)

    async def _apply(self, receipt: Receipt) -> None:
        """Also what is confirmed already is compared: the centre may have gone another way from there."""
        news = {lane: said for lane, said in receipt.lanes.items() if said != self._heard.get(lane)}
        before = {lane: self._journal.lanes[lane].confirmed for lane in news}
        try:
            await self._journal.confirm_all(
                (lane, said.upto, bytes.fromhex(said.digest)) for lane, said in news.items()
            )
        except ConfirmError as error:
            await self._misfit(error, receipt)
            return
        self.counter = receipt.counter
        self._heard |= news
        self._tell_rejected(news, before)

    async def _misfit(self, error: ConfirmError, receipt: Receipt) -> None:
        now = self._clock.mono_s()
        if now - self._renewed_s < RENEW_EVERY_S:
            if not self._withheld:
                self._withheld = True
                reason = f"{error}; the last epoch began less than an hour ago: nothing is released, nothing is done"
                self._on_trouble(Trouble(TroubleCode.RECEIPT_MISMATCH, reason, error.lane, error.upto))
            return
        try:
            birth = await self._journal.renew(str(error), {lane: said.upto for lane, said in receipt.lanes.items()})
        except StorageError as refusal:
            _log.error("no new epoch can be begun: %s", refusal)
            return
        self._renewed_s, self._withheld = now, False
        reason = f"{error}; epoch {birth.epoch} has begun with everything that is not confirmed"
        self._on_trouble(Trouble(TroubleCode.RECEIPT_MISMATCH, reason, error.lane, error.upto))

    def _tell_forged(self, flaw: FlawError) -> None:
        if flaw.refusal is Refusal.NO_KEYS:
            _log.warning("a receipt waits: %s", flaw)
            return
        self._tell_flaw(TroubleCode.RECEIPT_FORGED, f"a receipt {flaw}; nothing is released by it")

    def _tell_flaw(self, code: TroubleCode, reason: str) -> None:
        """At once, and those that follow together: whoever can write to the topic must not fill the journal."""
        told, now = self._flawed.setdefault(code, _Rejections()), self._clock.mono_s()
        told.count += 1
        if now - told.told_s >= REJECTED_EVERY_S:
            self._on_trouble(Trouble(code, reason, count=told.count))
            told.told_s, told.count = now, 0

    def _tell_rejected(self, news: Mapping[Lane, LaneReceipt], before: Mapping[Lane, int]) -> None:
        now = self._clock.mono_s()
        for lane, said in news.items():
            new = [entry for entry in said.rejected if before[lane] < entry.sequence <= said.upto]
            if not new:
                continue
            told = self._rejections.setdefault(lane, _Rejections())
            told.count += len(new)
            _log.warning("the centre rejects %s/%d: %s", lane, new[0].sequence, new[0].reason)
            if now - told.told_s >= REJECTED_EVERY_S:
                first = new[0]
                self._on_trouble(Trouble(TroubleCode.REJECTED, first.reason, lane, first.sequence, told.count))
                told.told_s, told.count = now, 0


@dataclass(slots=True)
class _Rejections:
    """Of one lane, or of one flaw: when they were last told, and how many came since."""

    told_s: float = -math.inf
    count: int = 0
