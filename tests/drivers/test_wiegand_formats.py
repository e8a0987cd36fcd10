"""The table of formats, and the ways people write a number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.credentials.numbers import card_of
from drivers.base import Card, FrameError, Keys
from drivers.wiegand.config import FormatName
from drivers.wiegand.formats import FORMATS, read
from drivers.wiegand.printed import printed

CARDS = [name for name, form in FORMATS.items() if not form.is_key]


def with_parity(name: FormatName, payload: int) -> int:
    """A frame of the format whose other bits are those of `payload`; checks are set in the table's order."""
    form = FORMATS[name]
    number = payload & ((1 << form.bits) - 1)
    for drawing, check in zip(form.drawings, form.checks, strict=True):
        place = 1 << form.bits - 1 - max(drawing.find("E"), drawing.find("O"))
        number = number if check.holds(number) else number ^ place
    return number


def test_every_name_has_a_drawing_in_which_all_lines_are_equally_long() -> None:
    assert FORMATS.keys() == set(FormatName)
    assert [FORMATS[name].bits for name in FormatName] == [26, 34, 35, 36, 37, 37, 4, 8]
    for form in FORMATS.values():
        assert {len(drawing) for drawing in form.drawings} <= {form.bits}
        assert len(form.drawings) == form.fields.count("P")


@pytest.mark.parametrize(
    ("name", "frame", "facility", "number"),
    [
        (FormatName.WIEGAND_26, 0b1_10111100_0110000101001110_0, 188, 24910),
        (FormatName.WIEGAND_34, 0b0_0000000000000001_0000000000000010_0 | 1 << 33, 1, 2),
        (FormatName.WIEGAND_37, 0b0_00000000000000000000000000000000011_1, None, 3),
    ],
)
def test_a_known_card(name: FormatName, frame: int, facility: int | None, number: int) -> None:
    form = FORMATS[name]
    assert (form.field("F", frame), form.field("N", frame)) == (facility, number)
    assert form.fits(frame)


def test_the_checks_of_35_bits_are_those_other_programs_use() -> None:
    """As masks: two of every three bits each, and the whole frame."""
    even, odd, all_of_them = FORMATS[FormatName.WIEGAND_35].checks
    assert (even.mask, even.odd) == (1 << 33 | 0xDB6DB6DB << 1, False)
    assert (odd.mask, odd.odd) == (1 | 0xDB6DB6DB << 2, True)
    assert (all_of_them.mask, all_of_them.odd) == ((1 << 35) - 1, True)


@pytest.mark.parametrize("bits", [26, 34, 37])
@given(number=st.integers(0, 2**24 - 1))
@settings(max_examples=50, deadline=None)
def test_cards_entered_as_printed_are_those_the_reader_delivers(bits: int, number: int) -> None:
    card = card_of(str(number), bits)
    name = FormatName(f"wiegand-{bits}")
    assert read("reader", bits, card.number, [name]) == card
    assert int(printed(card).decimal) == number


@pytest.mark.parametrize("name", CARDS)
@given(payload=st.integers(0, 2**37 - 1), data=st.data())
@settings(max_examples=50, deadline=None)
def test_one_wrong_bit_is_refused(name: FormatName, payload: int, data: st.DataObject) -> None:
    bits, frame = FORMATS[name].bits, with_parity(name, payload)
    assert read("reader", bits, frame, [name]) == Card(bits, frame)
    wrong = frame ^ 1 << data.draw(st.integers(0, bits - 1))
    with pytest.raises(FrameError, match=f"{bits} bits with wrong parity"):
        read("reader", bits, wrong, [name])


def test_a_length_that_is_not_declared_is_refused_and_never_cut() -> None:
    with pytest.raises(FrameError, match="34 bits, and only wiegand-26 is declared") as refused:
        read("reader", 34, 0x155550000, [FormatName.WIEGAND_26])
    assert "155550000" not in f"{refused.value!r}"


@pytest.mark.parametrize(("code", "key"), list(enumerate("0123456789*#")))
def test_keys_of_both_widths(code: int, key: str) -> None:
    assert read("reader", 4, code, [FormatName.KEYS_4]) == Keys(key)
    assert read("reader", 8, (code ^ 0xF) << 4 | code, [FormatName.WIEGAND_26, FormatName.KEYS_8]) == Keys(key)


@pytest.mark.parametrize(("bits", "number"), [(4, 12), (4, 15), (8, 0x11), (8, 0xFF), (8, 0x3C)])
def test_what_is_no_key_is_refused(bits: int, number: int) -> None:
    with pytest.raises(FrameError):
        read("reader", bits, number, [FormatName.KEYS_4, FormatName.KEYS_8])


def test_a_number_in_every_way_it_is_printed() -> None:
    found = printed(card_of("188,24910", 26))
    assert (found.uid, found.decimal, found.three_five) == ("BC614E", "0012345678", "188,24910")
    assert (found.reversed_uid, found.reversed_decimal) == ("4E61BC", "0005136828")
    assert found.facility == "188,24910"


def test_a_serial_number_of_four_bytes() -> None:
    found = printed(card_of("0x04A1B2C3", 34))
    assert (found.uid, found.reversed_uid) == ("04A1B2C3", "C3B2A104")
    assert found.decimal == f"{0x04A1B2C3:010d}"
    assert found.three_five == f"{0xA1:03d},{0xB2C3:05d}"


def test_what_a_length_does_not_have_is_left_out() -> None:
    assert printed(card_of("77", 37)).three_five is None
    facility = printed(Card(37, with_parity(FormatName.WIEGAND_37_FACILITY, (5 << 19 | 9) << 1)),
                       FORMATS[FormatName.WIEGAND_37_FACILITY])  # fmt: skip
    assert facility.facility == "5,9"
    unknown = printed(Card(32, 0x01020304))
    assert (unknown.uid, unknown.reversed_uid, unknown.facility) == ("01020304", "04030201", None)
    assert "01020304" not in repr(unknown)
