"""Settings of an OSDP bus."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from drivers.base import Confined, Cue, Slug

Baud: TypeAlias = Literal[9600, 19200, 38400, 57600, 115200, 230400]
DisplayText = Annotated[str, Field(pattern=r"^[ -~]{1,32}$")]
Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{6}-[0-9a-f]{2}-[0-9a-f]{8}$")]


class SecureChannel(StrEnum):
    REQUIRED = "required"  # refuse to talk in the clear; the default
    OFF = "off"  # for readers that cannot; reported as a weakness by `gatehouse check`


class OsdpReader(Confined):
    id: Slug
    address: Annotated[int, Field(ge=0, le=126)]
    secure_channel: SecureChannel = SecureChannel.REQUIRED
    key_file: Path | None = None
    """File with the reader's SCBK, 32 hexadecimal digits, mode 0600; needed where the secure channel is."""
    identity: Identity | None = None
    """Vendor, model and serial number it must have, as `gatehouse reader install` prints them."""
    texts: Mapping[Cue, DisplayText] = Field(default_factory=dict)
    """What its display shows with a cue, where it has one; ASCII, for that is all OSDP knows."""
    inputs: Annotated[int, Field(ge=0, le=8)] = 0
    """Its own inputs that the compound uses, as points `input-0`, `input-1`, …"""
    outputs: Annotated[int, Field(ge=0, le=8)] = 0
    """Its own relays that the compound uses, as points `output-0`, `output-1`, …"""


class OsdpBus(Confined):
    driver: Literal["osdp"]
    id: Slug
    port: str
    """Serial port, best by its stable name: /dev/serial/by-path/… or /dev/serial/by-id/…"""
    baud: Baud = 9600
    poll_interval_s: Annotated[float, Field(ge=0.01, le=1.0)] = 0.05
    readers: Annotated[tuple[OsdpReader, ...], Field(min_length=1)]
