"""Card numbers as people write them, and the bits a reader delivers for them.

A Wiegand card carries its number between two parity bits, and a reader delivers all of them; what is printed on the
card is the number alone, in decimal ("0012345678") or as facility and number ("188,24910").

    26 bits   P nnnnnnnnnnnn nnnnnnnnnnnn P     even parity over the first half, odd over the second
    34 bits   P 16 16 P
    37 bits   P 18 18 P                         the halves share the middle bit of 35
"""

import re
from enum import StrEnum

from agent.credentials.credential import MAX_BITS
from agent.credentials.table import CellError
from agent.words import Words
from drivers.base import Card

WIEGAND = (26, 34, 37)
_DIGITS = re.compile(r"[0-9]{1,155}")
_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]{1,128}")
_TWO_PARTS = re.compile(r"([0-9]{1,3})[,:/ ]([0-9]{1,5})")


class Form(StrEnum):
    """How a number is meant."""

    PRINTED = "printed"  # as on the card; the parity bits are added
    RAW = "raw"  # all the bits a reader delivers


def card_of(text: str, bits: int, form: Form | None = None) -> Card:
    """The card that `text` names; `form` None means printed where the length is a Wiegand one. Raises: CellError."""
    if not 1 <= bits <= MAX_BITS:
        raise CellError(
            Words(f"a card has from 1 to {MAX_BITS} bits", f"卡号位数应为 1 到 {MAX_BITS}"),
            Words("write 26, 34 or 37, or what the reader delivers", "请填写 26、34、37，或读卡器实际输出的位数"),
        )
    form = form or (Form.PRINTED if bits in WIEGAND else Form.RAW)
    if form is Form.PRINTED and bits not in WIEGAND:
        raise CellError(
            Words(f"a printed number of {bits} bits is not known", f"不支持 {bits} 位的卡面号码"),
            Words("write raw and the bits the reader delivers", "请改用 raw，并填写读卡器输出的全部位"),
        )
    room = bits - 2 if form is Form.PRINTED else bits
    number = _number(text)
    if number >> room:
        raise CellError(
            Words(f"the number does not fit into {room} bits", f"卡号超出 {room} 位"),
            Words("see whether the card has another length: bits 34 or 37", "请核对卡的位数，例如 34 或 37"),
        )
    return Card(bits, _with_parity(number, bits) if form is Form.PRINTED else number)


def _number(text: str) -> int:
    if _DIGITS.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if (parts := _TWO_PARTS.fullmatch(text)) and int(parts[1]) < 1 << 8 and int(parts[2]) < 1 << 16:
        return int(parts[1]) << 16 | int(parts[2])
    if re.fullmatch(r"[0-9.]+[eE]\+?[0-9]+", text):
        raise CellError(
            Words("the spreadsheet has rounded the card number", "表格软件已将卡号改写为科学计数法，数字已丢失"),
            Words(
                "format the column as text, enter the number again, save anew",
                "请将该列设为“文本”格式，重新录入卡号后保存",
            ),
        )
    raise CellError(
        Words("that is no card number", "卡号无效"),
        Words(
            'write its digits, "0x" and hexadecimal digits, or facility and number in quotes: "188,24910"',
            '请填写数字、"0x" 开头的十六进制数，或加引号的“区码,号码”："188,24910"',
        ),
    )


def _with_parity(number: int, bits: int) -> int:
    width = bits - 2
    half = (width + 1) // 2
    even = (number >> (width - half)).bit_count() % 2
    odd = 1 - (number & ((1 << half) - 1)).bit_count() % 2
    return even << (bits - 1) | number << 1 | odd
