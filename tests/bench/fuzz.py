"""A million mutated pulse trains and a million mutated answers; those of OSDP are among the rows of `osdp`."""

import gc
import random
import resource
from collections.abc import Callable

from tests.bench.gateway import CLOCK
from tests.bench.table import Row
from tests.drivers import modbus_fuzz, wiegand_fuzz

FRAMES = 1_000_000


async def rows() -> list[Row]:
    return [
        _row("Wiegand decoder: mutated pulse trains, after each the next good card is read", wiegand_fuzz.fuzz),
        _row("Modbus decoder: mutated answers, after each the next good one is read", modbus_fuzz.fuzz),
    ]


def _row(what: str, fuzz: Callable[[int, random.Random], int]) -> Row:
    fuzz(20_000, random.Random(1))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = CLOCK.mono_s()
    read = fuzz(FRAMES, random.Random(2))
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Row(
        f"{what} ({CLOCK.mono_s() - begun:.0f} s)",
        f"{read:,}; memory + {grown_kb / 1024:.1f} MB", "", "1,000,000, no exception, < 4 MB", grown_kb < 4096,
    )  # fmt: skip
