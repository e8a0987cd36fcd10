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


class GpioOutput(Confined):
    """`safe` is the state (on or off) at start, at exit, and whenever nobody is in charge."""

    id: Slug
    line: int | str
    active: Active = Active.HIGH
    safe: bool = False


class GpioChip(Confined):
    driver: Literal["gpio"]
    id: Slug
    chip: str
    """Label of the chip (pinctrl-rp1, pinctrl-bcm2711), path (/dev/gpiochip0), or unix:/path of a line server."""
    inputs: tuple[GpioInput, ...] = ()
    outputs: tuple[GpioOutput, ...] = ()
