"""Where answers go: a terminal of any encoding, or a pipe whose reader has seen enough."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from agent.words import Lang


def show_anything() -> None:
    """Signs that the terminal's encoding has not (✓ in GBK) become question marks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def spoken_log(lang: Lang) -> Iterator[None]:
    """Warnings on the way to an answer are part of it, in its language; the agent that runs has a log of its own."""
    handler, root = _Spoken(lang), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _Spoken(logging.Handler):
    def __init__(self, lang: Lang) -> None:
        super().__init__(logging.WARNING)
        self._lang = lang

    def emit(self, record: logging.LogRecord) -> None:
        from agent.cli.complaints import COMPLAINTS

        print(f"gatehouse: {COMPLAINTS.both(self.format(record)).to(self._lang)}", file=sys.stderr)


def nobody_reads() -> None:
    """After BrokenPipeError (`gatehouse journal tail | head`): what is still to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
