"""What a compound's file says about Wiegand readers on a GPIO chip."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from drivers.base import Confined, Slug
from drivers.gpio.config import Active, Bias, GpioChip, GpioOutput, PulseInput


class FormatName(StrEnum):
    """Keys of the table in `formats.py`, which says what they mean."""

    WIEGAND_26 = "wiegand-26"
    WIEGAND_34 = "wiegand-34"
    WIEGAND_35 = "wiegand-35"
    WIEGAND_36 = "wiegand-36"
    WIEGAND_37 = "wiegand-37"
    WIEGAND_37_FACILITY = "wiegand-37-facility"
    KEYS_4 = "keys-4"
    KEYS_8 = "keys-8"


class LampLine(Confined):
    """A line into the reader; most readers light or sound while it is pulled low."""

    line: int | str
    active: Active = Active.LOW


class WiegandReader(Confined):
    """Nothing tells a dead reader from an idle one: the wire is silent either way."""

    id: Slug
    data0: int | str
    data1: int | str
    """Offset on the chip or name of the line, as for GPIO inputs."""
    bias: Bias = Bias.PULL_UP
    formats: Annotated[tuple[FormatName, ...], Field(min_length=1)]
    """What it sends; everything else is refused and counted at the point `rejected`."""
    gap_ms: Annotated[int, Field(ge=10, le=200)] = 30
    """Silence that ends a frame."""
    led: LampLine | None = None
    buzzer: LampLine | None = None


class WiegandBus(Confined):
    driver: Literal["wiegand"]
    id: Slug
    chip: str
    """As for GPIO: label, path, or unix:/path of a line server."""
    readers: Annotated[tuple[WiegandReader, ...], Field(min_length=1)]


def lines_of(bus: WiegandBus, reader: WiegandReader) -> GpioChip:
    """The reader's lines as one request: the data lines together, so that their edges keep their order."""
    data = (("data0", reader.data0), ("data1", reader.data1))
    lamps = (("led", reader.led), ("buzzer", reader.buzzer))
    return GpioChip(
        driver="gpio",
        id=reader.id,
        chip=bus.chip,
        inputs=tuple(PulseInput(id=name, line=line, active=Active.LOW, bias=reader.bias) for name, line in data),
        outputs=tuple(GpioOutput(id=name, line=lamp.line, active=lamp.active) for name, lamp in lamps if lamp),
    )
