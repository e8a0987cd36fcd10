"""`gatehouse simulate COMPOUND.toml SCENARIO`, `gatehouse demo`, `gatehouse fleet` and `gatehouse centre`."""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.cli.complaints import complaint
from agent.cli.parser import Parser
from agent.cli.terminal import nobody_reads, show_anything
from agent.settings import load as load_settings
from agent.words import Lang, Words, language
from drivers.base import ConfigError, GatehouseError, SystemClock
from simulators import centre_command, scenario
from simulators.broker import Broker
from simulators.compound import SimCompound
from simulators.fleet import places
from simulators.fleet.report import Report
from simulators.fleet.run import Fleet, Pace
from simulators.narrator import Narrator
from simulators.player import Player

BROKERS = ("mosquitto", "iotcore")
DEMO_COMPOUND = Path(__file__).parent.parent / "config" / "simulated.toml"


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 the scenario passed, 1 it did not or nothing came up, 2 the call or a file is wrong."""
    options = command_line().parse_args(arguments)
    show_anything()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-"))
    try:
        passed = asyncio.run(options.act(options, folder))
        sys.stdout.flush()
    except BrokenPipeError:
        nobody_reads()
        passed = False
    except GatehouseError as error:
        for line in complaint(error, options.lang):
            print(f"gatehouse: {line}", file=sys.stderr)
        if isinstance(error, ConfigError):
            return 2
        passed = False
    except KeyboardInterrupt:
        return 130
    if passed:
        shutil.rmtree(folder)
        return 0
    kept = Words(f"logs and state are kept in {folder}", f"日志与状态保留在 {folder}")
    print(kept.to(options.lang), file=sys.stderr)
    return 1


def command_line() -> argparse.ArgumentParser:
    parser = Parser(prog="gatehouse")
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser("simulate", help="bring up a compound on simulated wires and play a scenario")
    simulate.add_argument("compound", type=Path, help="the compound's TOML file")
    simulate.add_argument("scenario", help="a scenario's file, or the name of one that ships with Gatehouse")
    demo = commands.add_parser("demo", help="a day in the simulated compound, narrated")
    demo.set_defaults(compound=DEMO_COMPOUND, scenario="demo")
    fleet = commands.add_parser("fleet", help="a city of gateways against one broker and one centre")
    fleet.add_argument("--gateways", type=_count, default=181, metavar="N", help="how many; default 181")
    fleet.add_argument("--seconds", type=float, default=30.0, help="of ordinary work before the storm; default 30")
    fleet.add_argument("--broker", choices=BROKERS, default=BROKERS[0], help=f"default {BROKERS[0]}")
    fleet.set_defaults(act=_fleet)
    for command in (simulate, demo):
        command.add_argument("--keep", action="store_true", help="stay up after the last step, until Ctrl-C")
        command.set_defaults(act=_simulate)
    centre = commands.add_parser("centre", help="a centre at the terminal: receipts, and the view of a district")
    centre_command.add_arguments(centre)
    centre.set_defaults(act=centre_command.run)
    for command in (simulate, demo, fleet, centre):
        command.add_argument(
            "--lang", choices=tuple(Lang), type=Lang, default=language(os.environ), help="language of the answer"
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= places.MOST:
        raise argparse.ArgumentTypeError(f"1 to {places.MOST} gateways")
    return int(text)


async def _fleet(options: argparse.Namespace, folder: Path) -> bool:
    broker = Broker.mosquitto(folder / "broker") if options.broker == "mosquitto" else Broker.iotcore(folder / "broker")
    pace = Pace(steady_s=options.seconds)
    return await Report(options.lang).play(Fleet(options.gateways, folder, broker, SystemClock(), pace))


async def _simulate(options: argparse.Namespace, folder: Path) -> bool:
    clock = SystemClock()
    settings = load_settings(options.compound)
    play = scenario.load(scenario.find(options.scenario))
    narrator = Narrator(options.lang, clock)
    narrator.opening(settings, play)
    async with SimCompound(
        settings, folder, clock, cards=play.cards, stages=play.stages, on_received=narrator.received
    ) as compound:
        narrator.up(compound)
        with narrator:
            outcome = await Player(compound, play, clock, narrator.step).play()
        narrator.summary(compound, outcome)
        if options.keep:
            narrator.staying(compound)
            await asyncio.Event().wait()
    return outcome.passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
