"""A CSV file as installers have it: UTF-8 or GB18030, columns in any order, titles in English or Chinese.

Nothing here repeats what stands in a cell: it may be a card number in the wrong column.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.words import Words

MAX_BYTES = 32 << 20
MAX_ROWS = 200_000
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "card": ("card", "cardnumber", "cardno", "number", "卡号", "卡片号码", "卡编号"),
    "holder": ("holder", "持卡人", "持卡人编号", "住户", "户号", "房号"),
    "bits": ("bits", "位数", "卡位数"),
    "form": ("form", "格式", "卡号格式"),
    "doors": ("doors", "door", "门", "门禁", "通行门"),
    "schedules": ("schedules", "schedule", "时段", "通行时段"),
    "valid_from": ("validfrom", "from", "生效日期", "开始日期", "有效期起"),
    "valid_until": ("validuntil", "until", "失效日期", "截止日期", "结束日期", "有效期止"),
    "pin": ("pin", "密码"),
    "duress": ("duress", "duresspin", "胁迫密码"),
    "extended": ("extended", "延时", "延长开门", "无障碍"),
    "exempt": ("exempt", "免反潜", "反潜豁免", "免防反传"),
}
"""Every column by its name, with the titles it is known by; `card` and `holder` must be there."""
NEEDED = ("card", "holder")
_TITLES = {title: column for column, titles in COLUMNS.items() for title in titles}
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is not taken; `card` is the end of its number, two digits at most."""

    line: int
    reason: Words
    cure: Words
    card: str = ""


class CellError(ValueError):
    """What stands in one cell cannot be taken; never repeats it."""

    def __init__(self, reason: Words, cure: Words) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.cure = cure


class TableError(ValueError):
    """The file as a whole cannot be read."""

    def __init__(self, reason: Words, cure: Words, line: int = 1) -> None:
        super().__init__(reason.en)
        self.rejected = Rejected(line, reason, cure)


def rows(content: bytes) -> Iterator[tuple[int, dict[str, str] | Rejected]]:
    """Line number and cells by column of every row that is not blank. Raises: TableError."""
    text = _decode(content)
    head, _, _ = text.partition("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(head), strict=True)
    columns: list[str] | None = None
    for count in range(MAX_ROWS + 2):
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            if columns is None:
                raise TableError(*_NO_TITLES) from None
            return
        except csv.Error:
            if columns is None:
                raise TableError(*_NO_TITLES) from None
            yield line, Rejected(line, *_BROKEN)
            continue
        if not any(cells):
            continue
        if columns is None:
            columns = _columns(cells, line)
        elif count > MAX_ROWS:
            raise TableError(
                Words(f"the file has more than {MAX_ROWS} lines", f"文件超过 {MAX_ROWS} 行"),
                Words("divide it", "请分成多个文件"),
                line,
            )
        else:
            yield line, _row(columns, cells, line)


def plain(cell: str) -> str:
    """Full-width digits, letters and marks as the plain ones."""
    return unicodedata.normalize("NFKC", cell).strip()


def _row(columns: list[str], cells: list[str], line: int) -> dict[str, str] | Rejected:
    if len(cells) < len(columns) or any(cells[len(columns) :]):
        return Rejected(
            line,
            Words(
                f"the line has {len(cells)} cells, the first line {len(columns)}",
                f"本行有 {len(cells)} 格，标题行有 {len(columns)} 格",
            ),
            Words("put a cell that holds a comma in quotes", "含逗号的内容请加引号"),
        )
    return dict(zip(columns, cells, strict=False))


def _decode(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise TableError(
            Words("the file is larger than 32 MiB", "文件超过 32 MiB"), Words("divide it", "请分成多个文件")
        )
    if b"\0" not in content:
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise TableError(
        Words("the file is neither UTF-8 nor GB18030", "文件编码既不是 UTF-8 也不是 GB18030"),
        Words('save it as "CSV UTF-8"', "请另存为“CSV UTF-8”格式"),
    )


def _delimiter(head: str) -> str:
    """The one that makes the most known titles of the first line."""
    return max(_DELIMITERS, key=lambda mark: sum(_title(cell.strip('"')) in _TITLES for cell in head.split(mark)))


def _columns(cells: list[str], line: int) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    columns = [_TITLES.get(_title(cell), "") for cell in cells]
    for number, column in enumerate(columns, 1):
        if not column:
            known = ", ".join(COLUMNS)
            raise TableError(
                Words(f"the title of column {number} is not known", f"第 {number} 列的标题无法识别"),
                Words(
                    f"the first line holds titles; known are {known}; remove other columns",
                    f"首行应为列标题，可用：{'、'.join(titles[-1] for titles in COLUMNS.values())}；请删除其他列",
                ),
                line,
            )
        if columns.index(column) != number - 1:
            raise TableError(
                Words(f"column {number} is a second {column}", f"第 {number} 列与前面的 {column} 列重复"),
                Words("keep one of the two", "请只保留一列"),
                line,
            )
    if any(column not in columns for column in NEEDED):
        raise TableError(*_NO_TITLES, line)
    return columns


def _title(cell: str) -> str:
    return re.sub(r"[\s_-]", "", plain(cell)).lower()


_NO_TITLES = (
    Words("the first line does not name the columns card and holder", "首行缺少“卡号”和“持卡人”两列"),
    Words("write the titles into the first line: card,holder,doors,…", "请在首行写列标题：卡号,持卡人,门,…"),
)
_BROKEN = (
    Words("the quotes of the line do not fit together", "本行引号不配对"),
    Words("see that every quote is closed and stands around a whole cell", "请检查引号是否成对并包住整个单元格"),
)
