"""A configuration on trial in a running agent: kept on the centre's receipt, given up without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.configuration import Configuration
from agent.contract.commands import Verb, Verdict
from agent.events import Event, Kind, Lane
from agent.journal import Draft, Journal
from agent.trial import TrialWatch
from drivers.base import SystemClock
from tests.agent.commands.test_desk import Desk, desk
from tests.agent.test_configuration import NEW, OWN, beats
from tests.clock import ManualClock
from tests.journal import everything, opened, until


@dataclass
class Trying:
    file: Path
    configuration: Configuration
    journal: Journal
    desk: Desk
    restarts: int = 0

    def restart(self) -> None:
        self.restarts += 1


@asynccontextmanager
async def trying(folder: Path) -> AsyncIterator[Trying]:
    file = folder / "compound.toml"
    file.write_text(OWN)
    Configuration.read(file).propose(NEW, "a-1", "duty desk", 60)
    async with opened(folder / "journal") as journal, desk(folder) as made:
        yield Trying(file, Configuration.begin(file), journal, made)


def watch(made: Trying, clock: ManualClock) -> TrialWatch:
    def drafted(event: Event) -> Draft:
        return Draft(event.info.lane, event.kind, b'{"type":"gatehouse.%s"}' % event.kind.encode())

    return TrialWatch(made.configuration, clock, journal=made.journal, commands=made.desk.commands, draft=drafted,
                      restart=made.restart)  # fmt: skip


async def turn(clock: ManualClock, seconds: float) -> None:
    """Threads and the journal run by the machine's time: they are given some."""
    await SystemClock().sleep(0.05)
    await clock.advance(seconds)


async def test_without_the_centres_receipt_it_is_given_up_and_its_order_answered_after_the_restart(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with trying(tmp_path) as made:
        running = watch(made, clock)
        assert running.waiting == {"a-1"}
        task = asyncio.create_task(running.run())
        for _ in range(70):
            await turn(clock, 1.0)
        await task
        assert made.restarts == 1
        assert beats(made.file) == 60
        again = Trying(made.file, Configuration.begin(made.file), made.journal, made.desk)
        await watch(again, clock).run()
        (reply,) = [reply for reply in made.desk.replies if reply.id == "a-1"]
        assert (reply.verb, reply.outcome, reply.reason) == (Verb.CONFIGURATION, Verdict.FAILED, "rolled_back")
        assert again.configuration.ended is None
        await until(made.journal, lambda: made.journal.pending == 0)
        kinds = [entry.kind for entry in await everything(made.journal, Lane.FAULT)]
        assert kinds == [Kind.CONFIGURATION_ROLLED_BACK]


async def test_a_receipt_for_what_was_written_with_it_keeps_it_and_one_for_older_entries_does_not(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with trying(tmp_path) as made:
        old = made.journal.lanes[Lane.LEDGER]
        task = asyncio.create_task(watch(made, clock).run())
        await until(made.journal, lambda: made.journal.lanes[Lane.LEDGER].last > old.last)
        await made.journal.confirm(Lane.LEDGER, old.last, old.digest)
        for _ in range(4):
            await turn(clock, 1.0)
        assert not task.done()
        now = made.journal.lanes[Lane.LEDGER]
        await made.journal.confirm(Lane.LEDGER, now.last, now.digest)
        while not task.done():
            await turn(clock, 0.5)
        await task
        assert (beats(made.file), made.restarts) == (10, 0)
        assert made.desk.replies[-1].outcome is Verdict.DONE
