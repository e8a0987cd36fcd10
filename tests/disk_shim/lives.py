"""A journal's life, lived once for each call in it that changes a file or a pipe.

    LD_PRELOAD=shim.so python -m tests.disk_shim.lives STORY FOLDER ERRNO STEP

In life N call number N kills the process (ERRNO 0) or fails with that error, once; of a STEP above 1 not every N is
lived. Then a second life looks at what is left, goes on with it and ends cleanly. What the lives have told the centre
(`> N`) or promised (`+ N`) goes through a pipe; at the end nothing promised may be missing.

    journal   append, publish, confirm, prune and renew
    damaged   a file that is no database is set aside, and a new epoch begun

Says how many lives there were; any flaw ends it with a traceback.
"""

import asyncio
import ctypes
import gc
import itertools
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Final

import agent.journal.standby
import agent.journal.thread
from agent.events import Kind, Lane
from agent.journal import Draft, Journal, Limits, RefusedError
from agent.journal.database import StorageError
from agent.journal.opening import FILE
from agent.journal.proof import prove
from agent.journal.quarantine import MARKER, kept
from drivers.base import SystemClock
from tests.journal import until

LIMITS: Final = Limits(max_entries=30, chunk=8, keep_confirmed=6)
"""So small that entries are released, and telemetry is dropped."""
AGAIN: Final = Limits(keep_confirmed=1_000_000)
DAMAGED: Final = b"no database at all, but longer than a header" * 1000
SHIM: Final = ctypes.CDLL(None)

Say = Callable[[str, object], None]
Life = Callable[[Path, Say], Coroutine[None, None, None]]


class HurriedClock(SystemClock):
    """A disk that refused is tried again soon."""

    def mono_s(self) -> float:
        return 100 * super().mono_s()


def draft(lane: Lane, number: int, picture: str = "") -> Draft:
    kinds = {Lane.ALARM: Kind.SMOKE, Lane.ACCESS: Kind.ACCESS_GRANTED}
    body = b'{"type":"test","n":%d,"sha256":"%s"}' % (number, picture.encode())
    return Draft(lane, kinds.get(lane, Kind.READINGS), body)


# ---------------------------------------------------------------- the journal's two lives


async def live(folder: Path, say: Say) -> None:
    journal = Journal.start(folder, LIMITS, HurriedClock())
    numbers = itertools.count(1)

    async def promise(lane: Lane) -> None:
        number = next(numbers)
        await journal.append(draft(lane, number))
        say("+", number)

    await journal.opened
    await promise(Lane.ALARM)
    await promise_picture(journal, next(numbers), say)
    for _ in range(2):  # the second time telemetry is dropped for room
        await asyncio.gather(promise(Lane.ACCESS), *(promise(Lane.TELEMETRY) for _ in range(20)))
    await asyncio.gather(*(promise(Lane.ALARM) for _ in range(8)))
    for lane in (Lane.ALARM, Lane.MEDIA, Lane.LEDGER):
        await publish(journal, lane, say)
    await until(journal, lambda: journal.lanes[Lane.ALARM].oldest > 1)  # confirmed, and more than is kept
    assert journal.lanes[Lane.LEDGER].last > 1, "nothing was dropped"
    with suppress(StorageError):  # the old epoch goes on
        await journal.renew("as asked")
    await promise(Lane.ALARM)
    await journal.close()


async def promise_picture(journal: Journal, number: int, say: Say) -> None:
    """A picture never waits for a disk that refuses, so it may be refused."""
    try:
        await journal.append_picture(b"jpeg %d" % number, lambda name: draft(Lane.MEDIA, number, name))
    except RefusedError:
        return
    say("+", number)


async def publish(journal: Journal, lane: Lane, say: Say) -> None:
    """To a centre that confirms at once."""
    entries = await journal.peek(lane, journal.lanes[lane].confirmed, 1000)
    for entry in entries:
        tell(entry.body, say)
    if entries:
        await journal.confirm(lane, entries[-1].sequence, entries[-1].digest)


def tell(body: bytes, say: Say) -> None:
    said = json.loads(body)
    if "n" in said:
        say(">", said["n"])
    elif said["type"] == "gatehouse.entries.dropped":
        say("-", said["data"]["count"])


async def live_again(folder: Path, say: Say) -> None:
    journal = Journal.start(folder, AGAIN, HurriedClock())
    birth = await journal.opened
    assert not birth.set_aside, birth
    assert not prove(folder / FILE).flaws, prove(folder / FILE).flaws
    for lane in Lane:
        await publish(journal, lane, say)
    await journal.append(draft(Lane.ALARM, 0))
    await journal.close()
    assert not prove(folder / FILE).flaws, prove(folder / FILE).flaws


# ---------------------------------------------------------------- the damaged file's two lives


async def open_damaged(folder: Path, _: Say) -> None:
    journal = Journal.start(folder, AGAIN, HurriedClock())
    await journal.opened
    await journal.close()


async def find_it_set_aside(folder: Path, _: Say) -> None:
    journal = Journal.start(folder, AGAIN, HurriedClock())
    await journal.opened
    (begun,) = await journal.peek(Lane.LEDGER, 0, 10)
    (aside,) = kept(folder)
    assert aside.name.encode() in begun.body
    assert aside.read_bytes() == DAMAGED
    assert not (folder / MARKER).exists()
    await journal.close()
    assert not prove(folder / FILE).flaws


# ---------------------------------------------------------------- a process for each first life


def run(life: Life, folder: Path, call: int, fault: int) -> tuple[int, str]:
    """How the life ended that had this fault, and what it said."""
    ears, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ears)
        SHIM.shim_arm(ctypes.c_long(call), ctypes.c_int(fault))
        asyncio.run(life(folder, lambda what, number: saying(mouth, f"{what} {number}\n")))
        if SHIM.shim_left() > 0:
            saying(mouth, "whole\n")
        os._exit(0)
    os.close(mouth)
    with os.fdopen(ears) as said:
        words = said.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), words


def lived(life: Life, folder: Path) -> str:
    """What a life without a fault said."""
    said: list[str] = []
    asyncio.run(life(folder, lambda what, number: said.append(f"{what} {number}\n")))
    return "".join(said)


def saying(mouth: int, words: str) -> None:
    """What is said is said whole; a fault of the disk is none of the pipe's."""
    try:
        os.write(mouth, words.encode())
    except OSError:
        os.write(mouth, words.encode())


def numbers(words: str, mark: str) -> list[int]:
    return [int(line[2:]) for line in words.splitlines() if line.startswith(mark)]


def main(story: str, folder: Path, fault: int, step: int) -> None:
    agent.journal.thread.POLL_S = 0.005
    agent.journal.standby.AFTER_S = float("inf")  # the disk is waited for
    first, second, content = STORIES[story]
    for call in itertools.chain([0], itertools.count(1, step)):
        where = folder / str(call)
        where.mkdir()
        if content:
            (where / FILE).write_bytes(content)
        if call == 0:
            lived(first, where)  # whatever is imported late is there in every fork
            gc.freeze()
            continue
        ended, words = run(first, where, call, fault)
        assert ended == (-signal.SIGKILL if fault == 0 and "whole" not in words else 0), f"life {call}: {ended}"
        told = words + lived(second, where)
        missing = set(numbers(words, "+")) - set(numbers(told, ">"))
        assert len(missing) <= sum(numbers(told, "-")), f"life {call}: {sorted(missing)} missing"
        shutil.rmtree(where)
        if "whole" in words:
            print(f"{call} calls, {call // step} lives")
            return


STORIES: Final[dict[str, tuple[Life, Life, bytes]]] = {
    "journal": (live, live_again, b""),
    "damaged": (open_damaged, find_it_set_aside, DAMAGED),
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
