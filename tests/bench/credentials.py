"""The card list with 50,000 cards: memory, loading, decisions, importing; each in a process of its own."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from agent.credentials import CardList, Credential, card_digest, key_path, pin_digest
from agent.credentials.cardlist import render
from drivers.base import Card
from tests.bench.table import Row

CARDS = 50_000
DECISIONS = 20_000
KEY = b"k" * 32

_ASK = """
import gc, json, random, sys, time
from datetime import UTC, datetime
from pathlib import Path
from agent.credentials import CardList, Cards
from drivers.base import Card

def kb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

path, count, decisions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
before = kb()
begun = time.perf_counter()
cards = Cards(CardList.load(path), holds=lambda *_: True)
load_s = time.perf_counter() - begun
now, asked = datetime(2026, 3, 1, tzinfo=UTC), random.Random(1).sample(range(count * 2), decisions)
took = []
for number in asked:
    card = Card(34, number)
    begun = time.perf_counter()
    cards.decide(card, "gate-3", now)
    took.append(time.perf_counter() - begun)
took.sort()
reference = cards.decide(Card(34, 7), "gate-3", now).reference
begun = time.perf_counter()
for _ in range(1000):
    cards.check_pin(reference, "2580")
pin_s = (time.perf_counter() - begun) / 1000
print(json.dumps({"kb": kb() - before, "load_s": load_s, "p50": took[len(took) // 2],
                  "p99": took[int(len(took) * 0.99)], "pin_s": pin_s}))
"""

_IMPORT = """
import json, resource, sys, time
from pathlib import Path
from zoneinfo import ZoneInfo
from agent.credentials import add_entries
from agent.credentials.importing import House, read_cards

house = House({f"gate-{n}": f"gate-{n}" for n in range(10)}, {"day": "day"}, ZoneInfo("Asia/Shanghai"), bits=34)
begun = time.perf_counter()
found = read_cards(Path(sys.argv[2]).read_bytes(), house)
read_s = time.perf_counter() - begun
begun = time.perf_counter()
add_entries(Path(sys.argv[1]), found.entries)
apply_s = time.perf_counter() - begun
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"cards": len(found.entries), "read_s": read_s, "apply_s": apply_s, "mb": mb}))
"""


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        path, table = folder / "cards.json", folder / "cards.csv"
        _write_list(path)
        table.write_text("card,holder,doors,schedules,valid_until,pin\n" + "".join(
            f"{n},{n // 500}-{n % 500},gate-{n % 10};gate-{(n + 1) % 10},day,2027-12-31,{1000 + n % 9000}\n"
            for n in range(CARDS)
        ))  # fmt: skip
        asked = await _run(_ASK, path, CARDS, DECISIONS)
        imported = await _run(_IMPORT, folder / "new.json", table)
        size_mb = path.stat().st_size / 1e6
    p99_ms = asked["p99"] * 1000
    return [
        Row(f"card decision, {CARDS:,} cards, p99 (p50 {asked['p50'] * 1e6:.0f} µs)", f"{p99_ms:.3f} ms", "", "< 1 ms",
            p99_ms < 1),
        Row("PIN check", f"{asked['pin_s'] * 1e6:.0f} µs"),
        Row(f"loading {CARDS:,} cards ({size_mb:.1f} MB)", f"{asked['load_s'] * 1000:.0f} ms"),
        Row(f"memory of {CARDS:,} cards", f"{asked['kb'] / 1024:.1f} MB", "", "≤ 20 MB", asked["kb"] <= 20 << 10),
        Row(f"CSV of {imported['cards']:,} cards read and judged", f"{imported['read_s']:.1f} s"),
        Row("and applied", f"{imported['apply_s']:.1f} s", f"peak {imported['mb']:.0f} MB"),
    ]  # fmt: skip


async def _run(code: str, *arguments: object) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    found: dict[str, float] = json.loads(out)
    return found


def _write_list(path: Path) -> None:
    """Two doors, a schedule, a date and a PIN on every card: a full list."""
    key_path(path).write_text(KEY.hex())
    key_path(path).chmod(0o600)
    lines = CardList.of(KEY, (_credential(n) for n in range(CARDS))).lines()
    path.write_bytes(render(KEY, lines)[1])


def _credential(number: int) -> Credential:
    card = card_digest(KEY, Card(34, number))
    return Credential(
        card,
        f"{number // 500}-{number % 500}",
        doors=("gate-3", f"gate-{number % 10}"),
        schedules=("day",),
        pin=pin_digest(KEY, card, f"{1000 + number % 9000}"),
    )
