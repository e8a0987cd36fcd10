"""What the journal's tests share: drafts, an opened journal, waiting, and the proof that nothing is lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from agent.events import Kind, Lane
from agent.journal import Draft, Entry, Journal, Limits, first_digest, next_digest
from drivers.base import Clock, SystemClock

KINDS = {
    Lane.ALARM: Kind.SMOKE,
    Lane.FAULT: Kind.DEVICE_FAULT,
    Lane.LEDGER: Kind.AGENT_STARTED,
    Lane.ACCESS: Kind.ACCESS_GRANTED,
    Lane.TELEMETRY: Kind.READINGS,
    Lane.MEDIA: Kind.READINGS,
}


def draft(lane: Lane, number: int = 0, size: int = 0) -> Draft:
    return Draft(lane, KINDS[lane], b'{"type":"test","n":%d,"fill":"%s"}' % (number, b"x" * size))


@asynccontextmanager
async def opened(folder: Path, limits: Limits | None = None, clock: Clock | None = None) -> AsyncIterator[Journal]:
    journal = await Journal.open(folder, limits or Limits(), clock or SystemClock())
    try:
        yield journal
    finally:
        await journal.close()


async def until(journal: Journal, holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for something a commit or a change of health brings about."""
    news = asyncio.Event()
    journal.on_commit(lambda _: news.set())
    journal.on_health(lambda _: news.set())
    async with asyncio.timeout(within_s):
        while not holds():
            news.clear()
            await news.wait()


async def everything(journal: Journal, lane: Lane, after: int = 0) -> list[Entry]:
    found: list[Entry] = []
    while part := await journal.peek(lane, found[-1].sequence if found else after, 1000, 1 << 30):
        found += part
    return found


Gone = dict[Lane, set[int]]


def dropped(ledger: Iterable[Entry], epoch: str | None = None) -> Gone:
    """Sequences that tombstones declare dropped, each once; those of `epoch` where it is given."""
    gone: Gone = {lane: set() for lane in Lane}
    for entry in ledger:
        if entry.kind is Kind.ENTRIES_DROPPED:
            data = json.loads(entry.body)["data"]
            if epoch not in (None, data["epoch"]):
                continue  # entered again from an epoch that has ended
            span = set(range(data["from"], data["to"] + 1))
            assert len(span) == data["count"]
            assert not gone[Lane(data["lane"])] & span
            gone[Lane(data["lane"])] |= span
    return gone


async def declared(journal: Journal) -> Gone:
    return dropped(await everything(journal, Lane.LEDGER), journal.epoch)


async def prove_whole(journal: Journal, gone: Gone | None = None) -> None:
    """1..N of every lane is confirmed, waiting or declared dropped; and the chain holds wherever it is unbroken.

    `gone` is what was declared, where tombstones themselves may have been confirmed and released.
    """
    gone = gone or await declared(journal)
    for lane, state in journal.lanes.items():
        entries = await everything(journal, lane)
        kept = {entry.sequence for entry in entries}
        assert len(kept) == len(entries)
        assert not kept & gone[lane]
        confirmed = set(range(1, state.confirmed + 1))
        assert confirmed | kept | gone[lane] == set(range(1, state.last + 1))
        assert state.waiting == len({sequence for sequence in kept if sequence > state.confirmed})
        assert state.oldest == min(kept, default=state.last + 1)
        sequence, digest = 0, first_digest(journal.epoch, lane)
        for entry in entries:
            if entry.sequence == sequence + 1:
                assert entry.digest == next_digest(digest, entry.body)
            sequence, digest = entry.sequence, entry.digest
        if sequence == state.last:
            assert digest == state.digest
