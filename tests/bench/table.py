"""A row of the benchmark table, and how its figures are made."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """`aim` is empty for a reported figure; `met` says whether a goal was reached, and gates nothing."""

    what: str
    figure: str
    raw: str = ""
    aim: str = ""
    met: bool | None = None

    def line(self) -> str:
        mark = {None: "", True: " ✓", False: " ✗"}[self.met]
        kind = "goal" if self.aim else "reported"
        return f"| {self.what} | {self.figure} | {self.raw} | {kind} | {self.aim}{mark} |"


HEAD = "| | ours | raw limit | kind | aim |\n|---|---|---|---|---|"


async def interleaved(
    ours: Callable[[], Awaitable[float]], raw: Callable[[], Awaitable[float]], rounds: int = ROUNDS
) -> tuple[float, float]:
    """Medians of both, measured in turns so that the machine's moods fall on both alike."""
    mine: list[float] = []
    limit: list[float] = []
    for _ in range(rounds):
        limit.append(await raw())
        mine.append(await ours())
    return statistics.median(mine), statistics.median(limit)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
