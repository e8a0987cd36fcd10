"""Makes links: which broker, which MQTT, which certificate, and when; and sees when a better link could be had."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from agent.blocking import in_thread
from agent.settings import Centre, Protocol
from agent.uplink.dial import SLOW, Cause, LinkDownError, Target
from agent.uplink.identity import Identity
from agent.uplink.papers import PapersError
from agent.uplink.policy import Brokers, Jitter, Reconnect, Versions
from agent.uplink.receipts import Trouble
from agent.uplink.session import Session
from drivers.base import Clock

_log = logging.getLogger(__name__)
LOOK_S: Final = 10.0
"""How often the certificate's files are looked at."""


class Dialler:
    """`wake` is set when there is a reason to leave the link (`better`)."""

    def __init__(
        self,
        centre: Centre,
        gateway: str,
        clock: Clock,
        wake: asyncio.Event,
        on_trouble: Callable[[Trouble], None],
        jitter: Jitter,
    ) -> None:
        self._centre = centre
        self._gateway = gateway
        self._clock = clock
        self._wake = wake
        self._targets = Target.all(centre)
        self._versions = [Versions(centre.protocol) for _ in self._targets]
        self._brokers = Brokers(len(self._targets))
        self._reconnect = Reconnect(jitter)
        secured = next((target for target in self._targets if target.tls), None)
        self._identity = None if secured is None else Identity(secured, clock, on_trouble)
        self._up = self._returning = False
        self._at_once = False
        """The last attempt showed what to do better."""

    @property
    def target(self) -> Target:
        return self._targets[self._brokers.at]

    @property
    def away(self) -> str:
        """What to say of a link that is not to the preferred broker; empty of one that is."""
        preferred = self._targets[0]
        return f"by {self.target}, as {preferred} was not there" if self._brokers.at else ""

    async def dial(self, will: tuple[str, bytes]) -> Session:
        """The next attempt. Raises: LinkDownError."""
        self._up = self._at_once = False
        now, target, versions = self._clock.mono_s(), self.target, self._versions[self._brokers.at]
        version, identity = versions.choose(now), self._identity if target.tls else None
        if identity is not None and identity.papers is None:
            try:
                await identity.look()
            except PapersError as error:
                raise LinkDownError(Cause.CONFIGURED, str(error), hint=error.hint) from error
        papers = None if identity is None else identity.papers
        context = None if papers is None else papers.context
        session = Session(target, version, self._gateway, self._centre.keepalive_s, self._wake, context)
        session.will(*will)
        try:
            await session.open(self._clock)
        except LinkDownError as error:
            session.abort()
            versions.failed(error.cause, now)
            self._at_once = version is Protocol.MQTT5 and versions.choose(now) is Protocol.MQTT311
            if identity is not None and papers is not None:
                self._at_once |= identity.gave_way(papers, error)
            raise
        except asyncio.CancelledError:
            session.abort()
            raise
        versions.succeeded()
        if identity is not None and papers is not None:
            identity.used(papers)
        self._up = True
        self._brokers.up(self._clock.mono_s())
        return session

    def proven(self) -> None:
        """The link has carried something for a while: its loss would start afresh."""
        self._reconnect.proven()
        self._brokers.proven()

    def wait_s(self, error: LinkDownError) -> float:
        """How long to wait before the next attempt, after a link was not to be had or was lost."""
        if self._at_once:
            return 0.0
        self._brokers.failed()
        all_tried = self._brokers.at == 0
        return self._reconnect.next_s(self._clock.mono_s(), slow=error.cause in SLOW and all_tried)

    def better(self, now: float) -> str:
        """Why the link that is up should be left for a new one, at once; empty when it should not."""
        if self._identity is not None and self.target.tls and self._identity.renewed:
            return "the certificate has been renewed"
        if self._returning:
            self._returning = False
            self._brokers.back()
            return f"{self._targets[0]} is there again"
        if self._versions[self._brokers.at].due(now):
            return "trying MQTT 5 again"
        return ""

    async def watch(self) -> None:
        """Look at the certificate's files, and for the preferred broker, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            if self._identity is not None and self._identity.papers is not None:
                await self._identity.look()
            if self._up and self._brokers.due(self._clock.mono_s()):
                await self._look_home()
            self._wake.set()

    async def _look_home(self) -> None:
        preferred, papers = self._targets[0], None if self._identity is None else self._identity.papers
        context = None if papers is None else papers.context
        try:
            await in_thread("uplink-knock", lambda: preferred.knock(context))
        except LinkDownError as error:
            _log.debug("the preferred broker is still away: %s", error.reason)
            self._brokers.away(self._clock.mono_s())
            return
        self._returning = self._up and self._brokers.at != 0
