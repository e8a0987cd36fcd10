"""Cards from a CSV file: every line is taken, or rejected with its reason and cure and never its number."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from pydantic import ValidationError

from agent.credentials.changes import Entry
from agent.credentials.credential import PIN_PATTERN
from agent.credentials.numbers import Form, card_of
from agent.credentials.table import CellError, Rejected, TableError, plain, rows
from agent.words import Words
from drivers.base import Card

_DATE = re.compile(r"(20[0-9]{2})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[ T]([0-9]{1,2}):([0-9]{2})(?::00)?)?")
_LIST_MARKS = re.compile(r"[;；、|,，]")
_ALL = ("", "*", "all", "全部")
_YES = ("yes", "y", "true", "1", "是", "√")
_NO = ("", "no", "n", "false", "0", "否")
_FORMS = {"": None, "printed": Form.PRINTED, "卡面": Form.PRINTED, "raw": Form.RAW, "原始": Form.RAW}
_SHOWN_FROM = 6
"""A number shorter than this shows none of its digits."""


@dataclass(frozen=True, slots=True)
class House:
    """What a line may name, doors and schedules by id or name, each to its id; how dates and numbers are meant."""

    doors: Mapping[str, str]
    schedules: Mapping[str, str]
    zone: tzinfo
    bits: int = 26
    form: Form | None = None


@dataclass(slots=True)
class Import:
    """What a file holds; `entries` are in order, no card twice."""

    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def read_cards(content: bytes, house: House) -> Import:
    """Never raises for what stands in the file."""
    found, lines = Import(), dict[Card, int]()
    try:
        for line, cells in rows(content):
            if isinstance(cells, Rejected):
                found.rejected.append(cells)
                continue
            try:
                entry = _entry(cells, house)
            except CellError as err:
                found.rejected.append(Rejected(line, err.reason, err.cure, masked(cells["card"])))
                continue
            if entry.card in lines:
                found.rejected.append(_again(line, lines[entry.card], masked(cells["card"])))
                continue
            lines[entry.card] = line
            found.entries.append(entry)
    except TableError as err:
        return Import(rejected=[err.rejected])
    return found


def masked(text: str) -> str:
    """The end of a number, two digits at most, for people to find the line by."""
    digits = re.sub(r"[^0-9]", "", plain(text))
    return f"…{digits[-2:]}" if len(digits) >= _SHOWN_FROM else "…"


def _again(line: int, first: int, card: str) -> Rejected:
    return Rejected(
        line,
        Words(f"names the card of line {first} again", f"与第 {first} 行是同一张卡"),
        Words("keep one of the two lines", "请只保留其中一行"),
        card,
    )


def moment_of(text: str, zone: tzinfo, *, last: bool = False) -> datetime | None:
    """The moment a date names, None for none: without a time its midnight, or the next one where it is the `last` day.

    Raises: CellError.
    """
    text = plain(text)
    if not text:
        return None
    match = _DATE.fullmatch(text)
    at = None if match is None else _moment(match, zone)
    if match is None or at is None:
        raise CellError(
            Words("that is no date", "日期无效"),
            Words("write it as 2026-12-31 or 2026-12-31 18:00", "请写成 2026-12-31 或 2026-12-31 18:00"),
        )
    return at + timedelta(days=1) if last and match[4] is None else at


def _entry(cells: Mapping[str, str], house: House) -> Entry:
    holder = cells["holder"]
    if not 0 < len(holder) <= 60 or not holder.isprintable():
        raise CellError(
            Words(
                "the holder is missing, too long, or holds marks that cannot be shown", "持卡人缺失、过长或含不可见字符"
            ),
            Words("write a reference of 1 to 60 characters, such as 3-2-502", "请填写 1 到 60 个字符，例如 3-2-502"),
        )
    card = card_of(plain(cells["card"]), _bits(cells, house), _form(cells, house))
    begin = moment_of(cells.get("valid_from", ""), house.zone)
    end = moment_of(cells.get("valid_until", ""), house.zone, last=True)
    if begin is not None and end is not None and end <= begin:
        raise CellError(
            Words("it ends before it begins", "失效日期早于生效日期"),
            Words("correct valid_from or valid_until", "请更正生效日期或失效日期"),
        )
    pin, duress = _pin(cells, "pin"), _pin(cells, "duress")
    if duress is not None and (pin is None or duress == pin):
        raise CellError(
            Words("a duress PIN needs a PIN beside it, another one", "胁迫密码须配合密码使用，且两者不同"),
            Words("write two PINs that differ", "请填写两个不同的密码"),
        )
    try:
        return Entry(
            bits=card.bits,
            number=str(card.number),
            holder=holder,
            doors=_names(cells, "doors", house.doors, Words("door", "门")),
            schedules=_names(cells, "schedules", house.schedules, Words("schedule", "时段")),
            valid_from=begin,
            valid_until=end,
            extended=_flag(cells, "extended"),
            exempt=_flag(cells, "exempt"),
            pin=pin,
            duress=duress,
        )
    except ValidationError:
        raise CellError(
            Words("the line cannot be taken as it is", "本行内容无法录入"),
            Words("compare it with a line that was taken", "请对照已录入的行检查"),
        ) from None


def _bits(cells: Mapping[str, str], house: House) -> int:
    text = plain(cells.get("bits", ""))
    if not text:
        return house.bits
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise CellError(Words("bits is no number", "位数不是数字"), Words("write 26, 34 or 37", "请填写 26、34 或 37"))
    return int(text)


def _form(cells: Mapping[str, str], house: House) -> Form | None:
    text = plain(cells.get("form", "")).lower()
    if text not in _FORMS:
        raise CellError(
            Words("form is not known", "卡号格式无法识别"), Words("write printed or raw", "请填写“卡面”或“原始”")
        )
    return _FORMS[text] or house.form


def _names(cells: Mapping[str, str], column: str, known: Mapping[str, str], noun: Words) -> tuple[str, ...] | None:
    text = plain(cells.get(column, ""))
    if text.lower() in _ALL:
        return None
    names = [name.strip() for name in _LIST_MARKS.split(text) if name.strip()]
    if not names or any(name not in known for name in names):
        listed = ", ".join(dict.fromkeys(known.values()))
        raise CellError(
            Words(f"names a {noun.en} that the compound has not", f"填写了小区没有的{noun.zh}"),
            Words(f"write of these, with ; between: {listed or 'none'}", f"请用分号分隔填写：{listed or '无'}"),
        )
    return tuple(dict.fromkeys(known[name] for name in names))


def _moment(match: re.Match[str], zone: tzinfo) -> datetime | None:
    """None for a day or time that does not exist."""
    year, month, day, hour, minute = (int(part) if part else 0 for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, tzinfo=zone)
    except ValueError:
        return None


def _pin(cells: Mapping[str, str], column: str) -> str | None:
    text = plain(cells.get(column, ""))
    if text and not re.fullmatch(PIN_PATTERN, text):
        raise CellError(
            Words(f"{column} is not 4 to 8 digits", f"{column} 不是 4 到 8 位数字"),
            Words("write 4 to 8 digits; format the column as text", "请填写 4 到 8 位数字，并将该列设为文本格式"),
        )
    return text or None


def _flag(cells: Mapping[str, str], column: str) -> bool:
    text = plain(cells.get(column, "")).lower()
    if text not in (*_YES, *_NO):
        raise CellError(
            Words(f"{column} is neither yes nor no", f"{column} 既不是“是”也不是“否”"),
            Words("write yes or no", "请填写“是”或“否”"),
        )
    return text in _YES
