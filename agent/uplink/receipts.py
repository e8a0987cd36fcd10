"""What the centre says about what it has: receipts release entries, requests ask for them again."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from agent.contract import Receipt
from agent.events import Lane
from agent.journal import ConfirmError, Journal

_log = logging.getLogger(__name__)
MAX_WAITING: Final = 64
"""Receipts not yet looked at; the oldest goes first: a newer one says at least as much."""


class TroubleCode(StrEnum):
    REJECTED = "rejected"  # the centre cannot use an entry; it is released and kept locally
    RECEIPT_MISMATCH = "receipt_mismatch"  # the receipt does not fit the journal; nothing is released
    RECEIPT_UNREADABLE = "receipt_unreadable"
    REFUSED = "refused"  # the broker refuses a lane's messages; tried again slowly
    SET_ASIDE = "set_aside"  # the broker cannot bear a message; it is declared lost and its lane goes on


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something somebody must know; the link itself may be up."""

    code: TroubleCode
    reason: str
    lane: Lane | None = None
    sequence: int | None = None


class Receipts:
    """Applies receipts one after the other; confirmations by PUBACK go the same way."""

    def __init__(self, gateway: str, journal: Journal, on_trouble: Callable[[Trouble], None]) -> None:
        self._gateway = gateway
        self._journal = journal
        self._on_trouble = on_trouble
        self._counter = -1
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._passed: dict[Lane, int] = {}
        self._news = asyncio.Event()

    def received(self, payload: bytes) -> None:
        self._waiting.append(payload)
        self._news.set()

    def passed(self, lane: Lane, upto: int) -> None:
        """The broker has taken everything up to there, and that is all the proof asked for."""
        self._passed[lane] = max(upto, self._passed.get(lane, 0))
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._apply(self._waiting.popleft())
            passed, self._passed = self._passed, {}
            for lane, upto in passed.items():
                await self._confirm(lane, upto, None)

    async def _apply(self, payload: bytes) -> None:
        try:
            receipt = Receipt.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            self._on_trouble(Trouble(TroubleCode.RECEIPT_UNREADABLE, f"receipt: {where}: {first['msg']}"))
            return
        if receipt.gateway != self._gateway or receipt.epoch != self._journal.epoch:
            _log.warning("receipt for %s, epoch %s, is not ours", receipt.gateway, receipt.epoch)
            return
        if receipt.counter <= self._counter:
            _log.info("receipt %d is older than %d", receipt.counter, self._counter)
            return
        self._counter = receipt.counter
        for lane, said in receipt.lanes.items():
            before = self._journal.lanes[lane].confirmed
            if said.upto <= before or not await self._confirm(lane, said.upto, bytes.fromhex(said.digest)):
                continue
            for rejected in said.rejected:
                if rejected.sequence > before:
                    self._on_trouble(Trouble(TroubleCode.REJECTED, rejected.reason, lane, rejected.sequence))

    async def _confirm(self, lane: Lane, upto: int, digest: bytes | None) -> bool:
        try:
            await self._journal.confirm(lane, upto, digest)
        except ConfirmError as error:
            self._on_trouble(Trouble(TroubleCode.RECEIPT_MISMATCH, str(error), lane, upto))
            return False
        return True
