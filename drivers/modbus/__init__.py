"""Modbus RTU sensors: a table of points read by one scheduler per bus."""

from drivers.modbus.config import Encoding, ModbusBus, ModbusPoint, ModbusUnit, Register
from drivers.modbus.device import ModbusLine

__all__ = ["Encoding", "ModbusBus", "ModbusLine", "ModbusPoint", "ModbusUnit", "Register"]
