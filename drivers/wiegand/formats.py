"""Wiegand formats as a table of drawings, and what a burst of bits is by it. Pure.

A drawing shows a frame bit by bit, first sent first:

    fields    P parity, F facility code, M maker's code, N number, K key
    checks    the parity bit as E (even) or O (odd), each bit it covers as x; together they hold an even or odd
              number of ones

Sources: the published layouts of HID (H10301, H10306, H10302, H10304, Corporate 1000) and Keyscan (C15001).
Keypads send each key as a burst of 4 bits, or of 8: the complement of the 4 bits, then these.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from drivers.base import Card, FrameError, Keys
from drivers.wiegand.config import FormatName

_KEYS = "0123456789*#"


@dataclass(frozen=True)
class Check:
    """Ones under `mask` are even or odd in number."""

    mask: int
    odd: bool

    @classmethod
    def drawn(cls, text: str) -> "Check":
        return cls(int("".join("0" if sign == "." else "1" for sign in text), 2), "O" in text)

    def holds(self, number: int) -> bool:
        return (number & self.mask).bit_count() % 2 == self.odd


@dataclass(frozen=True)
class Format:
    fields: str
    drawings: tuple[str, ...]

    @property
    def bits(self) -> int:
        return len(self.fields)

    @property
    def is_key(self) -> bool:
        return "K" in self.fields

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        return tuple(Check.drawn(text) for text in self.drawings)

    def fits(self, number: int) -> bool:
        return all(check.holds(number) for check in self.checks)

    def field(self, sign: str, number: int) -> int | None:
        """Value of the bits drawn so, or None where the format has no such field."""
        first, last = self.fields.find(sign), self.fields.rfind(sign)
        return None if first < 0 else number >> (self.bits - 1 - last) & ((1 << (last - first + 1)) - 1)


FORMATS: Mapping[FormatName, Format] = {
    # H10301
    FormatName.WIEGAND_26: Format(
        "PFFFFFFFFNNNNNNNNNNNNNNNNP",
        ("Exxxxxxxxxxxx.............",
         ".............xxxxxxxxxxxxO"),
    ),
    # H10306; many readers put a 32-bit serial number of the card there
    FormatName.WIEGAND_34: Format(
        "PFFFFFFFFFFFFFFFFNNNNNNNNNNNNNNNNP",
        ("Exxxxxxxxxxxxxxxx.................",
         ".................xxxxxxxxxxxxxxxxO"),
    ),
    # HID Corporate 1000; the first bit covers all others, checks included
    FormatName.WIEGAND_35: Format(
        "PPFFFFFFFFFFFFNNNNNNNNNNNNNNNNNNNNP",
        (".Exx.xx.xx.xx.xx.xx.xx.xx.xx.xx.xx.",
         ".xx.xx.xx.xx.xx.xx.xx.xx.xx.xx.xx.O",
         "Oxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    ),
    # Keyscan C15001
    FormatName.WIEGAND_36: Format(
        "PMMMMMMMMMMFFFFFFFFNNNNNNNNNNNNNNNNP",
        ("Exxxxxxxxxxxxxxxxx..................",
         "..................xxxxxxxxxxxxxxxxxO"),
    ),
    # H10302; both checks cover the middle bit
    FormatName.WIEGAND_37: Format(
        "PNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNP",
        ("Exxxxxxxxxxxxxxxxxx..................",
         "..................xxxxxxxxxxxxxxxxxxO"),
    ),
    # H10304
    FormatName.WIEGAND_37_FACILITY: Format(
        "PFFFFFFFFFFFFFFFFNNNNNNNNNNNNNNNNNNNP",
        ("Exxxxxxxxxxxxxxxxxx..................",
         "..................xxxxxxxxxxxxxxxxxxO"),
    ),
    FormatName.KEYS_4: Format("KKKK", ()),
    FormatName.KEYS_8: Format(
        "PPPPKKKK",
        ("O...x...",
         ".O...x..",
         "..O...x.",
         "...O...x"),
    ),
}  # fmt: skip


def read(reader: str, bits: int, number: int, names: Iterable[FormatName]) -> Card | Keys:
    """What these bits are by one of the declared formats; a card keeps all of them, parity included.

    Raises: FrameError, which names no bit of them.
    """
    declared = tuple(names)
    for form in (FORMATS[name] for name in declared):
        if form.bits == bits and form.fits(number):
            if not form.is_key:
                return Card(bits, number)
            key = form.field("K", number) or 0
            if key < len(_KEYS):
                return Keys(_KEYS[key])
    if any(FORMATS[name].bits == bits for name in declared):
        raise FrameError(reader, f"{bits} bits with wrong parity")
    raise FrameError(reader, f"{bits} bits, and only {', '.join(declared)} is declared")
