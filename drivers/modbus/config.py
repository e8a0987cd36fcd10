"""What a compound's file says about a Modbus RTU bus."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from drivers.base import Confined, Slug


class Register(StrEnum):
    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"


class Encoding(StrEnum):
    BIT = "bit"  # coils and discrete inputs, or one bit of a register
    U16 = "u16"
    I16 = "i16"
    U32 = "u32"  # high word first
    I32 = "i32"
    F32 = "f32"


class ModbusPoint(Confined):
    """value = raw * scale + offset, in `unit`; a bit is a truth value, turned over by `inverted`."""

    id: Slug
    register_type: Annotated[Register, Field(alias="register")]
    address: Annotated[int, Field(ge=0, le=65535)]
    encoding: Encoding = Encoding.U16
    bit: Annotated[int, Field(ge=0, le=15)] = 0
    inverted: bool = False
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    deadband: Annotated[float, Field(ge=0)] = 0.0
    """A change of at least this much, in `unit`, is a new reading; so is the first value after a minute."""

    @property
    def count(self) -> int:
        """Registers (or coils) the value takes."""
        return 2 if self.encoding in (Encoding.U32, Encoding.I32, Encoding.F32) else 1


class ModbusUnit(Confined):
    id: Slug
    unit: Annotated[int, Field(ge=1, le=247)]
    poll_s: Annotated[float, Field(ge=0.05, le=3600)] = 1.0
    points: Annotated[tuple[ModbusPoint, ...], Field(min_length=1)]


class ModbusBus(Confined):
    driver: Literal["modbus"]
    id: Slug
    port: str
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    timeout_s: Annotated[float, Field(ge=0.02, le=5)] = 0.3
    units: Annotated[tuple[ModbusUnit, ...], Field(min_length=1)]
