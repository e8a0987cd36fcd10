"""What no single key shows: names that must exist, addresses that must differ, polygons that must fit."""

from collections.abc import Iterator

from agent.settings.models import Settings
from agent.settings.problems import Finding


def problems(settings: Settings) -> Iterator[Finding]:
    """Everything that keeps the settings from being run."""
    yield from ()


def weaknesses(settings: Settings) -> Iterator[Finding]:
    """What is allowed but worth knowing."""
    yield from ()
