"""A configuration of the centre on trial: kept when the gateway has reached the centre with it, given up when not.

Reached means that a ledger entry written in this run is confirmed: the link is up, the centre reads what we send, and
its receipts reach us.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from agent.blocking import in_thread
from agent.commands import Commands
from agent.commands.verbs import Result
from agent.configuration import Configuration, Trial
from agent.contract.commands import Refusal, Verb, Verdict
from agent.events import Event, JsonValue, Kind, Lane
from agent.journal import Draft, Journal, JournalError
from drivers.base import Clock, ConfigError

_log = logging.getLogger(__name__)
LOOK_S: Final = 0.5


class TrialWatch:
    """`draft` makes an entry of an event, `restart` ends this run."""

    def __init__(
        self,
        configuration: Configuration,
        clock: Clock,
        *,
        journal: Journal,
        commands: Commands,
        draft: Callable[[Event], Draft],
        restart: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._journal = journal
        self._commands = commands
        self._draft = draft
        self._restart = restart

    @property
    def waiting(self) -> frozenset[str]:
        """Orders whose last word is ours."""
        both = (self._configuration.trial, self._configuration.ended)
        return frozenset(one.order for one in both if one is not None)

    async def run(self) -> None:
        try:
            await self._tell_ended()
            if (trial := self._configuration.trial) is not None:
                await self._try(trial)
        except ConfigError as error:
            _log.error("the configuration's state cannot be kept: %s; %s", error, error.hint)

    async def _tell_ended(self) -> None:
        ended = self._configuration.ended
        if ended is None:
            return
        self._say(Kind.CONFIGURATION_ROLLED_BACK, {"id": ended.order, "reason": ended.reason})
        result = Result(Verdict.FAILED, Refusal.ROLLED_BACK.value, ended.reason)
        await self._commands.end(ended.order, Verb.CONFIGURATION, ended.who, result)
        await in_thread("configuration", self._configuration.told)

    async def _try(self, trial: Trial) -> None:
        try:
            async with self._clock.timeout(trial.within_s):
                await self._reach(trial)
        except (TimeoutError, JournalError):
            reason = f"the centre was not reached within {trial.within_s:.0f} s"
            await in_thread("configuration", lambda: self._configuration.roll_back(reason))
            self._restart()
            return
        await in_thread("configuration", self._configuration.keep)
        self._say(Kind.CONFIGURATION_KEPT, {"id": trial.order})
        await self._commands.end(trial.order, Verb.CONFIGURATION, trial.who, Result(Verdict.DONE))

    async def _reach(self, trial: Trial) -> None:
        """Raises: JournalError when nothing can be written."""
        await asyncio.shield(self._journal.opened)
        tried = Event(Kind.CONFIGURATION_TRIED, "configuration", self._clock.mono_s(), {"id": trial.order})
        entry = await self._journal.append(self._draft(tried))
        epoch = self._journal.epoch
        while self._journal.lanes[Lane.LEDGER].confirmed < entry.sequence:
            await self._clock.sleep(LOOK_S)
            if self._journal.epoch != epoch:  # it was entered again, under another number
                epoch = self._journal.epoch
                entry = await self._journal.append(self._draft(tried))

    def _say(self, kind: Kind, data: dict[str, JsonValue]) -> None:
        self._journal.append_nowait(self._draft(Event(kind, "configuration", self._clock.mono_s(), data)))
