"""`gatehouse centre`: a centre at the terminal, as a list of what arrives or as the view of a district."""

import argparse
import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agent.cli.complaints import COMPLAINTS
from agent.contract.commands import Handled
from agent.events import CATALOGUE, RESTORES, Lane
from agent.settings import Protocol
from agent.settings.surroundings import is_broker
from agent.words import Lang, Words
from drivers.base import Clock, ConfigError, GatehouseError, SystemClock
from simulators.archive import Archive
from simulators.centre import CONNECT_S, Centre, Received
from simulators.children import ENDS_WITH_US
from simulators.collector import add_broker_arguments
from simulators.district import District, picture
from simulators.office import Desk

REFRESH_S: Final = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_broker_arguments(parser)
    parser.add_argument("--mqtt", choices=("5", "3.1.1"), default="5")
    parser.add_argument("--listen", action="store_true", help="answer no receipts: another centre is of record")
    parser.add_argument("--database", type=Path, help="keep everything there; without it, in memory")
    parser.add_argument("--collectors", type=int, default=0, metavar="N",
                        help="so many processes share the events; needs --database and MQTT 5")  # fmt: skip
    parser.add_argument("--key", type=Path, help="an operator's key: receipts are signed; with --keys")
    parser.add_argument("--keys", type=Path, help="the key set that names it, signed by a root")
    parser.add_argument("--acknowledge", action="store_true", help="tell gateways that their alarms were received")
    parser.add_argument("--lines", action="store_true", help="print what arrives instead of the view of the district")


async def run(options: argparse.Namespace, _folder: Path) -> bool:
    """Until Ctrl-C. Raises: ConfigError when the options do not fit each other, GatehouseError without a broker."""
    if not is_broker(options.broker):
        raise ConfigError(
            f"{options.broker} is no broker's address", hint="write mqtt://host:port or mqtts://host:port"
        )
    if options.collectors and (options.database is None or options.mqtt != "5"):
        raise ConfigError("--collectors share a database and an MQTT 5 subscription", hint="add --database FILE")
    if (options.key is None) != (options.keys is None) or (options.acknowledge and options.key is None):
        raise ConfigError("--acknowledge wants --key, and --key and --keys go together", hint="name both files")
    clock, console, district = SystemClock(), Console(highlight=False), District()
    async with AsyncExitStack() as stack:
        archive = stack.enter_context(_archive(options.database)) if options.database else None
        centre = Centre(
            options.broker,
            clock=clock,
            below=options.below,
            receipts=not options.listen,
            ca_file=options.ca_file,
            cert_file=options.cert_file,
            key_file=options.key_file,
            protocol=Protocol(options.mqtt),
            archive=archive,
            collectors=bool(options.collectors),
            desk=Desk.open(options.key, options.keys) if options.key else None,
        )
        numbers = range(1, options.collectors + 1)
        children = [await stack.enter_async_context(_collector(options, number)) for number in numbers]
        if options.lines:
            centre.on_received = lambda event: console.print(_line(event, options.lang))
            centre.tell(lambda news: console.print(f"  {COMPLAINTS.both(news).to(options.lang)}"))
        else:
            centre.on_remembered = centre.on_received = district.received
        try:
            await stack.enter_async_context(centre)
        except TimeoutError as err:
            hint = "is the broker running, and is the port right?"
            raise GatehouseError(f"{options.broker}: no answer within {CONNECT_S:g} s", hint=hint) from err
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(centre.ended(), name="centre")
                for number, child in enumerate(children, start=1):
                    group.create_task(_alive(child, number), name=f"collector:{number}")
                if options.acknowledge:
                    group.create_task(_acknowledge(centre, clock), name="acknowledge")
                if not options.lines:
                    draw = partial(_draw, centre, district, clock, options.lang)
                    group.create_task(_watch(draw, console, clock), name="view")
        except* sqlite3.Error as errors:
            hint = "check its disk; the gateways keep everything until they are answered"
            raise GatehouseError(f"{options.database} failed: {errors.exceptions[0]}", hint=hint) from errors
        except* GatehouseError as errors:
            raise errors.exceptions[0] from errors
    return True


def _archive(database: Path) -> Archive:
    """Raises: ConfigError when it cannot be opened."""
    try:
        return Archive(database)
    except sqlite3.Error as err:
        hint = "name a database of gatehouse centre, or a new file in a folder that is there"
        raise ConfigError(f"{database} cannot be opened: {err}", hint=hint) from err


async def _alive(collector: Process, number: int) -> None:
    """Raises: GatehouseError when it has ended: without its share nothing would be missed aloud."""
    await collector.wait()
    hint = "what it says stands above; the gateways keep everything until they are answered"
    raise GatehouseError(f"collector {number} has ended", hint=hint)


def _draw(centre: Centre, district: District, clock: Clock, lang: Lang) -> Group:
    return picture(centre, district, clock.mono_s(), lang)


async def _acknowledge(centre: Centre, clock: Clock) -> None:
    """Say `received` of each new alarm."""
    since = 0
    while True:
        fresh, since = centre.since(since), centre.mark()
        for event in fresh:
            if event.lane is Lane.ALARM and event.kind not in RESTORES:
                with suppress(TimeoutError, KeyError):  # it is away, or has just come; it will tell the alarm again
                    await centre.handle(event, Handled.RECEIVED)
        await clock.sleep(REFRESH_S)


async def _watch(draw: Callable[[], Group], console: Console, clock: Clock) -> None:
    with Live(draw(), console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(draw(), refresh=console.is_terminal)
            await clock.sleep(REFRESH_S)


@asynccontextmanager
async def _collector(options: argparse.Namespace, number: int) -> AsyncIterator[Process]:
    """A child process that has its share of the subscription."""
    command = [sys.executable, "-m", "simulators.collector", "--name", f"collector-{number}"]
    command += ["--broker", options.broker, "--below", options.below, "--database", str(options.database)]
    for name in ("ca_file", "cert_file", "key_file"):
        if (file := getattr(options, name)) is not None:
            command += [f"--{name.replace('_', '-')}", str(file)]
    child = await asyncio.create_subprocess_exec(*ENDS_WITH_US, *command, stdout=PIPE)
    try:
        assert child.stdout is not None
        if not await child.stdout.readline():
            raise ConfigError(f"collector {number} has ended", hint="what it says stands above")
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


def _line(event: Received, lang: Lang) -> Text:
    info = CATALOGUE[event.kind]
    counted = Words(f"{event.readings} readings", f"{event.readings} 条读数")
    what = counted if event.readings else Words(info.title_en, info.title_zh)
    return Text(f"{event.gateway} {event.lane}/{event.sequence} {event.subject} {what.to(lang)}")
