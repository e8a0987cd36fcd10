"""Where answers go: a terminal of any encoding, or a pipe whose reader has seen enough."""

import io
import os
import sys


def show_anything() -> None:
    """Signs that the terminal's encoding has not (✓ in GBK) become question marks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def nobody_reads() -> None:
    """After BrokenPipeError (`gatehouse journal tail | head`): what is still to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
