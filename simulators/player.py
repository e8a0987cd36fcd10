"""Plays a scenario on a simulated compound and judges it by what the centre received."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from drivers.base import Clock
from simulators.centre import Received
from simulators.compound import SimCompound
from simulators.network import Line
from simulators.scenario import (
    ActionStep,
    AgentStep,
    BusTrouble,
    Cable,
    CameraTrouble,
    ClearStage,
    Enter,
    Expected,
    MoveDoor,
    NetworkStep,
    OrderStep,
    PresentCard,
    PressKeys,
    ReaderTrouble,
    Scenario,
    SetPoint,
    Silence,
    SwapReader,
    TamperReader,
    Wait,
    Walk,
    WalkThrough,
)

SETTLE_S = 15.0
"""How long the last events may take to be confirmed once the scenario has ended."""


class RefusalError(Exception):
    """The gateway has answered an order otherwise than the scenario expects."""


@dataclass(slots=True)
class Outcome:
    """What a scenario showed; it passed when nothing is missing and nothing is open."""

    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    waiting: int = 0
    """Entries the centre had not confirmed at the end."""

    @property
    def passed(self) -> bool:
        return not self.missing and not self.failed


class Player:
    """`narrate` is told each step before it is played, and each expectation when it is met."""

    def __init__(
        self,
        compound: SimCompound,
        scenario: Scenario,
        clock: Clock,
        narrate: Callable[[ActionStep], None] = lambda _: None,
    ) -> None:
        self._compound = compound
        self._scenario = scenario
        self._clock = clock
        self._narrate = narrate

    async def play(self) -> Outcome:
        outcome = Outcome()
        for number, step in enumerate(self._scenario.steps, start=1):
            self._narrate(step)
            await self._clock.sleep(step.after_s)
            begun = self._compound.centre.mark()
            try:
                await self._act(step)
            except TimeoutError:
                what = "there was no answer" if isinstance(step, OrderStep) else "the door's lock did not open"
                outcome.failed.append(f"step {number} ({step.do}): {what}")
            except RefusalError as refusal:
                outcome.failed.append(f"step {number} ({step.do}): {refusal}")
            for expected in step.expect:
                if not await self._seen(expected, begun, step.within_s):
                    outcome.missing.append(
                        f"step {number} ({step.do}): {expected.kind} did not come of {expected.subject}"
                    )
        await self._close_books(outcome)
        return outcome

    async def _seen(self, expected: Expected, begun: int, within_s: float) -> bool:
        def fits(received: Received) -> bool:
            return (
                received.kind == expected.kind
                and received.subject == expected.subject
                and expected.data.items() <= received.data.items()
            )

        try:
            await self._compound.centre.wait_for(fits, since=begun, timeout_s=within_s)
        except TimeoutError:
            return False
        return True

    async def _act(self, step: ActionStep) -> None:  # noqa: C901, PLR0912 - one branch an action
        compound = self._compound
        match step:
            case Wait():
                pass
            case PresentCard():
                compound.present_card(step.reader, step.card)
            case PressKeys():
                compound.press(step.reader, step.keys)
            case WalkThrough():
                await compound.walk_through(step.door, step.card)
            case MoveDoor(do="request-exit"):
                await compound.request_exit(step.door)
            case MoveDoor(do="push-door"):
                compound.push_door(step.door)
            case MoveDoor():
                compound.move_door(step.door, opened=step.do == "open-door")
            case SetPoint():
                compound.set_point(step.point, step.value)
            case TamperReader():
                compound.tamper_reader(step.reader, step.do == "tamper")
            case ReaderTrouble():
                compound.trouble_reader(step.reader, step.do)
            case SwapReader():
                compound.swap_reader(step.reader, step.serial)
            case BusTrouble():
                compound.trouble_bus(step.device, step.do)
            case Cable(do="unplug"):
                await compound.unplug(step.device)
            case Cable():
                await compound.plug(step.device)
            case Silence():
                compound.silence(step.unit, step.do == "silence")
            case Walk():
                compound.walk(step.camera)
            case CameraTrouble():
                compound.camera(step.camera).trouble(step.do.removeprefix("camera-"))
            case Enter():
                compound.camera(step.camera).stage.enter(
                    step.figure, step.path, height=step.height, speed=step.speed, count=step.count, gap_s=step.gap_s,
                    spread=step.spread, stays=step.stays,
                )  # fmt: skip
            case ClearStage():
                compound.camera(step.camera).stage.clear()
            case NetworkStep():
                await self._network(step)
            case OrderStep():
                await self._order(step)
            case AgentStep():
                await self._agent(step)
            case _:
                assert_never(step)

    async def _network(self, step: NetworkStep) -> None:
        compound = self._compound
        match step.do:
            case "cut-network":
                await compound.network.cut()
            case "black-hole-network":
                await compound.network.cut(how=Line.BLACK_HOLE)
            case "mend-network":
                await compound.network.mend()
            case "stop-broker":
                await compound.broker.stop()
            case "start-broker":
                await compound.broker.start()

    async def _order(self, step: OrderStep) -> None:
        """Raises: RefusalError when the answer is another than the one expected."""
        reply = await self._compound.order(step.verb, step.args)
        if reply.outcome is not step.outcome:
            raise RefusalError(f"{step.verb} was answered with {reply.outcome} {reply.reason or ''} {reply.message}")

    async def _agent(self, step: AgentStep) -> None:
        agent = self._compound.agent
        match step.do:
            case "kill-agent":
                await agent.kill()
                await agent.start()
            case "restart-agent":
                await agent.stop()
                await agent.start()
            case "kill-vision":
                await self._compound.kill_vision()

    async def _close_books(self, outcome: Outcome) -> None:
        """Everything raised must be confirmed, nothing missing, every chain intact."""
        try:
            async with self._clock.timeout(SETTLE_S):
                while waiting := await self._compound.waiting():
                    outcome.waiting = waiting
                    await self._clock.sleep(0.1)
                outcome.waiting = 0
        except TimeoutError:
            outcome.failed.append(f"{outcome.waiting} entries not confirmed by the centre after {SETTLE_S:.0f} s")
        proof = self._compound.centre.proof()
        if proof.gaps:
            outcome.failed.append(f"{proof.gaps} gaps")
        if proof.broken:
            outcome.failed.append(f"{proof.broken} broken chains")
        if proof.conflicts:
            outcome.failed.append(f"{proof.conflicts} entries under the identity of another")
