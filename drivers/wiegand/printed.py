"""The ways in which people write the number of a card, to find the one that is printed on it. Pure.

What is returned is personal data: for the eyes of the installer who holds the card, never for a log.
"""

from dataclasses import dataclass

from drivers.base import Card
from drivers.wiegand.formats import FORMATS, Format

_SERIAL = (26, 34)
"""Lengths in which readers send a card's serial number as it is."""


@dataclass(frozen=True, slots=True, repr=False)
class Printed:
    """One reading of a card's bits; None where its length has no such form.

    `uid`: hexadecimal, as the reader sent it; `decimal`: at least ten digits ("10D"); `reversed_uid` and
    `reversed_decimal`: the same with the bytes the other way round; `three_five`: the third byte from the end and the
    last two ("188,24910"); `facility`: facility code and number by the format.
    """

    uid: str
    decimal: str
    reversed_uid: str | None
    reversed_decimal: str | None
    three_five: str | None
    facility: str | None


def printed(card: Card, form: Format | None = None) -> Printed:
    """The forms of a card's number without its parity bits; `form` None takes the first of the table that fits."""
    form = form or next((f for f in FORMATS.values() if f.bits == card.bits and not f.is_key), None)
    parity_bits = "" if form is None else form.fields
    width = card.bits - parity_bits.count("P")
    number = (card.number >> len(parity_bits) - len(parity_bits.rstrip("P"))) & ((1 << width) - 1)
    is_serial = width % 8 == 0 and (form is None or form.bits in _SERIAL)
    turned = int.from_bytes(number.to_bytes(width // 8, "little"), "big") if is_serial else None
    return Printed(
        uid=f"{number:0{(width + 3) // 4}X}",
        decimal=f"{number:010d}",
        reversed_uid=None if turned is None else f"{turned:0{width // 4}X}",
        reversed_decimal=None if turned is None else f"{turned:010d}",
        three_five=f"{number >> 16 & 0xFF:03d},{number & 0xFFFF:05d}" if is_serial and width in (24, 32) else None,
        facility=_facility(card, form),
    )


def _facility(card: Card, form: Format | None) -> str | None:
    if form is None:
        return None
    facility, number = form.field("F", card.number), form.field("N", card.number)
    return None if facility is None or number is None else f"{facility},{number}"
