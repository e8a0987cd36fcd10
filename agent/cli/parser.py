"""The parser of the command line: help and complaints in the language of the terminal."""

import argparse
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from agent.words import Lang, language

_UNBROKEN = re.compile("(?:[!-~]+|.)[，。；：、）！？]*")
"""What stays on one line: a word in Latin script, or a Chinese sign, with the punctuation that follows it."""


class Parser(argparse.ArgumentParser):
    """argparse's own, and in a Chinese terminal Chinese. Subcommands are of this class too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chinese = language(os.environ) is Lang.ZH
        if self._chinese:
            self.formatter_class = _Formatter

    def error(self, message: str) -> NoReturn:
        if not self._chinese:
            super().error(message)
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {_chinese('error')}：{_chinese(message)}\n")


class _Formatter(argparse.HelpFormatter):
    """Says every sentence in Chinese; names of commands and options stay."""

    def start_section(self, heading: str | None) -> None:
        super().start_section(_chinese(heading) if heading else heading)

    def add_text(self, text: str | None) -> None:
        super().add_text(_chinese(text) if text else text)

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, _chinese("usage: ") if prefix is None else prefix)

    def _expand_help(self, action: argparse.Action) -> str:
        return _chinese(super()._expand_help(action))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in _wrapped(text, width - len(indent)))


def _chinese(sentence: str) -> str:
    from agent.cli.chinese import HELP  # a running agent says nothing of it

    return HELP.both(sentence).zh


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, of which a Chinese sign takes two."""
    lines = [""]
    for piece in _UNBROKEN.findall(text):
        if lines[-1] and _columns((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]


def _columns(text: str) -> int:
    return sum(2 if char >= "\u2e80" else 1 for char in text)
