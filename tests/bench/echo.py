"""The least that could answer a reader, as a process of its own; `python -m tests.bench.echo PORT` returns each byte.

The agent's own line in a loop that does nothing else: what is left is the machine's share of a card's way.
"""

import asyncio
import sys

from drivers.base import SystemClock
from drivers.line import SerialLine


async def main(port: str) -> None:
    line = SerialLine("echo", port, 115200, SystemClock())
    print("ready", flush=True)
    while True:
        line.write(await line.read())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
