"""Settings of an OSDP bus."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from drivers.base import Confined, Slug


class SecureChannel(StrEnum):
    REQUIRED = "required"  # refuse to talk in the clear; the default
    OFF = "off"  # for readers that cannot; reported as a weakness by `gatehouse check`


class OsdpReader(Confined):
    id: Slug
    address: Annotated[int, Field(ge=0, le=126)]
    secure_channel: SecureChannel = SecureChannel.REQUIRED
    key_file: Path | None = None
    """File with the reader's SCBK, 32 hexadecimal digits, mode 0600; needed where the secure channel is."""


class OsdpBus(Confined):
    driver: Literal["osdp"]
    id: Slug
    port: str
    """Serial port, best by its stable name: /dev/serial/by-path/… or /dev/serial/by-id/…"""
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    poll_interval_s: Annotated[float, Field(ge=0.01, le=1.0)] = 0.05
    readers: Annotated[tuple[OsdpReader, ...], Field(min_length=1)]
