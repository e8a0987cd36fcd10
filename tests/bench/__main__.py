"""`make bench`: prints the benchmark table. It reports and aims; it never fails."""

import argparse
import asyncio
import platform
import sys

from tests.bench import backlog, cameras, credentials, delivery, doors, fuzz, osdp, processes, vision, wear, wiegand
from tests.bench.table import HEAD

PARTS = {
    "credentials": credentials.rows,
    "delivery": delivery.rows,
    "backlog": backlog.rows,
    "wear": wear.rows,
    "processes": processes.rows,
    "osdp": osdp.rows,
    "doors": doors.rows,
    "wiegand": wiegand.rows,
    "vision": vision.rows,
    "cameras": cameras.rows,
    "fuzz": fuzz.rows,
}


async def main(parts: list[str]) -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    print(HEAD)
    for part in parts:
        for row in await PARTS[part]():
            print(row.line(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts; all if left out")
    options = parser.parse_args(sys.argv[1:])
    asyncio.run(main(options.parts or list(PARTS)))
