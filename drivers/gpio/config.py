"""What a compound's file says about a GPIO chip."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from drivers.base import Confined, Slug


class Bias(StrEnum):
    AS_IS = "as-is"
    PULL_UP = "pull-up"
    PULL_DOWN = "pull-down"
    DISABLED = "disabled"


class Active(StrEnum):
    HIGH = "high"
    LOW = "low"


class GpioInput(Confined):
    """The reading is True while the line is at its active level, after `debounce_ms` of rest."""

    id: Slug
    line: int | str
    """Offset on the chip, or the line's name as the board gives it (GPIO17)."""
    active: Active = Active.HIGH
    bias: Bias = Bias.AS_IS
    debounce_ms: Annotated[int, Field(ge=0, le=1000)] = 20


class PulseInput(GpioInput):
    """For drivers that count pulses: each edge into the active level is reported, and none is waited for to rest.

    The kernel tells the direction of an edge by a look at the line some time after it, so a pulse of 50 µs would be
    seen wrongly if both edges were asked for.
    """

    debounce_ms: Literal[0] = 0


class GpioOutput(Confined):
    """`safe` is the state (on or off) at start, at exit, and whenever nobody is in charge.

    A lock's output is on while the door is unlocked, so `safe = false` holds the door and `safe = true` releases it
    while no agent runs. What stays true without power is the wiring's: at power loss every relay is de-energised.

        lock                 relay contact      active  safe    agent killed   gateway without power
        strike, fail-secure  NO, feeds the coil high    false   held           held
        strike, fail-secure  NO, feeds the coil high    true    released       held
        magnet, fail-safe    NC, feeds the coil high    false   held           held while the magnet has power
        magnet, fail-safe    NO, feeds the coil low     false   held           released
        magnet, fail-safe    NO, feeds the coil low     true    released       released

    The last is a fail-safe door that means it: its relay is energised only while an agent holds the door.
    """

    id: Slug
    line: int | str
    active: Active = Active.HIGH
    safe: bool = False
    max_on_s: Annotated[float, Field(ge=0.1, le=3600)] | None = None
    """Off again so long after the last order at the latest, though the agent's loop hang; left out: no limit."""


class GpioChip(Confined):
    driver: Literal["gpio"]
    id: Slug
    chip: str
    """Label of the chip (pinctrl-rp1, pinctrl-bcm2711), path (/dev/gpiochip0), or unix:/path of a line server."""
    inputs: tuple[GpioInput, ...] = ()
    outputs: tuple[GpioOutput, ...] = ()
