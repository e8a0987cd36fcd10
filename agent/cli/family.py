"""What the commands with subcommands of their own share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from agent.words import Lang

Subcommand: TypeAlias = Callable[[str, object, str], argparse.ArgumentParser]
"""Makes one of its name, what it does, and its help."""


def family(
    parser: argparse.ArgumentParser,
    names: str,
    default_lang: Lang,
    default_file: Path | None,
    *,
    own: Callable[[argparse.ArgumentParser], object] = lambda _: None,
) -> Subcommand:
    """Each subcommand has `--lang`, `--file` where there is a default for it, and what `own` adds."""
    commands = parser.add_subparsers(dest="do", required=True, metavar=names)

    def subcommand(name: str, act: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        if default_file is not None:
            about = f"the compound's file; default {default_file}"
            sub.add_argument("--file", type=Path, default=default_file, help=about)
        sub.add_argument("--lang", choices=tuple(Lang), type=Lang, default=default_lang, help="language of the answer")
        own(sub)
        sub.set_defaults(act=act)
        return sub

    return subcommand
