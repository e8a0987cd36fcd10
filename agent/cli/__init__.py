"""`gatehouse`: the command line of installers and technicians."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.parser import Parser
from agent.cli.terminal import nobody_reads, show_anything, spoken_log
from agent.secrecy import forbid_core_dumps
from agent.words import Lang, language
from drivers.base import ConfigError, GatehouseError, SystemClock

if TYPE_CHECKING:
    from agent.configuration import Configuration

_log = logging.getLogger(__name__)
DEFAULT_FILE = Path("/etc/gatehouse/compound.toml")
FAMILIES = {
    "card": "the local card list: list, add, remove, import",
    "journal": "the event journal: status, tail, verify, export",
    "models": "the detection models: list, fetch, verify, bench",
    "snapshots": "pictures of alarms that are kept here: list, show",
    "audit": "the record of who did what: verify, show",
    "command": "sign an order, send it to a gateway and wait for the answer",
    "keys": "root keys and key sets: new, sign, show",
}
"""Commands with subcommands of their own, each in the module of its name."""
_SIMULATORS = ("simulate", "demo", "fleet", "centre")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 found something wrong (also: an agent runs already), 2 wrong configuration or call."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] and given[0] in _SIMULATORS:
        # The agent never imports its simulators; they are another program of the same package.
        os.execv(sys.executable, [sys.executable, "-m", "simulators", *given])  # noqa: S606 - our own interpreter
    options = command_line(given[0] if given else "").parse_args(given)
    forbid_core_dumps()
    show_anything()
    lang = options.lang if "lang" in options else Lang.EN
    try:
        with nullcontext() if options.act is _run else spoken_log(lang):
            code = int(options.act(options))
        sys.stdout.flush()
    except GatehouseError as error:
        from agent.cli.complaints import complaint

        for line in complaint(error, lang):
            print(f"gatehouse: {line}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except BrokenPipeError:
        nobody_reads()
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def command_line(first: str) -> argparse.ArgumentParser:
    """The parser of everything; a family's subcommands are there when it is the first word."""
    parser = Parser(prog="gatehouse", description="The gateway agent of a residential compound.")
    parser.add_argument("--version", action="version", version=f"gatehouse {version('gatehouse-agent')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, act: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, help=f"default: {DEFAULT_FILE}")
        sub.add_argument(
            "--lang", choices=tuple(Lang), type=Lang, default=language(os.environ), help="language of the answer"
        )
        sub.set_defaults(act=act)
        return sub

    command("check", _check, "say what is wrong with a compound's file; exits 0 or 2")
    run = command("run", _run, "run the agent (what the service does)")
    run.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    command("status", _status, "say what the running agent sees and does")
    command("doctor", _doctor, "say what works on this machine, what does not, and the cure")
    command("safe-outputs", _safe_outputs, "put every output into its safe state (the service calls it after a crash)")
    for name, text in FAMILIES.items():
        family = commands.add_parser(name, help=text)
        if first == name:  # the running agent has no use for it
            import_module(f"agent.cli.{name}").add_arguments(family, DEFAULT_FILE, language(os.environ))
    reader = commands.add_parser("reader", help="find OSDP readers and give them keys, with the service stopped")
    reader.add_argument("do", choices=("scan", "install", "rotate"))
    reader.add_argument("file", type=Path)
    reader.add_argument("name", help="the reader; for scan its bus")
    reader.add_argument("--yes", action="store_true", help="install: the reader is confirmed already")
    reader.add_argument(
        "--minutes", type=float, default=2.0, help="install: speak the default key no longer; default 2"
    )
    reader.add_argument("--every-baud", action="store_true", help="scan: try every baud rate, 8 s each")
    reader.add_argument(
        "--lang", choices=tuple(Lang), type=Lang, default=language(os.environ), help="language of the answer"
    )
    reader.set_defaults(act=_reader)
    for name, text in (("simulate", "bring up a compound on simulated wires and play a scenario"),
                       ("demo", "a day in the simulated compound, narrated"),
                       ("fleet", "a city of gateways against one broker and one centre"),
                       ("centre", "a centre at the terminal: receipts, and the view of a district")):  # fmt: skip
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _check(options: argparse.Namespace) -> int:
    from agent.settings import check_report

    text, code = check_report(options.file, options.lang)
    print(text)
    return code


def _run(options: argparse.Namespace) -> int:
    from agent.configuration import Configuration
    from agent.instance import demand_owner, sole_agent
    from agent.settings import load

    logging.basicConfig(level=options.log_level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    settings = load(options.file)
    demand_owner(settings.storage.folder, f"gatehouse run {options.file}")
    with sole_agent(settings.run.folder):
        return _run_alone(Configuration.begin(options.file))


def _run_alone(configuration: "Configuration") -> int:
    from agent.app import run

    try:
        code = asyncio.run(run(configuration, SystemClock(configuration.settings.clock_trust)))
    except ConfigError as error:
        if configuration.trial is None:
            raise
        return _give_up(configuration, str(error))
    if code == 2 and configuration.trial is not None:
        return _give_up(configuration, "the agent may not run with it; see its log")
    return code


def _give_up(configuration: "Configuration", reason: str) -> int:
    """The one on trial. 1, for 2 would tell the service not to start again."""
    try:
        configuration.roll_back(reason)
    except ConfigError as error:
        _log.error("the configuration on trial cannot be given up now: %s; %s", error, error.hint)
    return 1


def _status(options: argparse.Namespace) -> int:
    from agent.doctor import Level, report, running
    from agent.settings import load
    from agent.status import fetch

    findings = running(asyncio.run(fetch(load(options.file).run.folder, SystemClock())))
    print(report(findings, options.lang))
    return int(any(finding.level is Level.BAD for finding in findings))


def _doctor(options: argparse.Namespace) -> int:
    from agent.doctor import Level, examine, report
    from agent.status import fetch

    findings = asyncio.run(examine(options.file, SystemClock(), fetch))
    print(report(findings, options.lang))
    return int(any(finding.level is Level.BAD for finding in findings))


def _safe_outputs(options: argparse.Namespace) -> int:
    from agent.safe_outputs import put_all_safe

    return 0 if put_all_safe(options.file) else 1


def _reader(options: argparse.Namespace) -> int:
    from agent.cli.reader import install_key, rotate_key, scan_bus

    clock = SystemClock()
    if options.do == "scan":
        return scan_bus(options.file, options.name, clock, options.lang, every_baud=options.every_baud)
    if options.do == "rotate":
        return rotate_key(options.file, options.name, clock, options.lang)
    limit_s = 60 * min(10.0, max(0.1, options.minutes))
    return install_key(options.file, options.name, clock, options.lang, limit_s=limit_s, confirmed=options.yes)
