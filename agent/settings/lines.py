"""In which line a key stands. The text is known to be valid TOML, so this only walks; it judges nothing."""

import re
from bisect import bisect_left
from collections.abc import Iterator

from agent.settings.problems import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")


def locate(text: str) -> dict[KeyPath, int]:
    """Line, counted from 1, of every table, key and list entry."""
    return _Walk(text).run()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", text)]

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip() < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _header(self) -> KeyPath:
        start = self._at
        array = self._text.startswith("[[", start)
        self._at += 2 if array else 1
        path: KeyPath = ()
        names = list(self._key())
        for name in names[:-1]:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, names[-1])
        self._mark(path, start)
        if array:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
            self._mark(path, start)
        self._at += 2 if array else 1
        return path

    def _pair(self, table: KeyPath) -> None:
        start, path = self._at, table
        for name in self._key():
            path = (*path, name)
            self._mark(path, start)
        self._at += 1
        self._skip()
        self._value(path)

    def _key(self) -> Iterator[str]:
        while True:
            self._skip()
            found = _BARE.match(self._text, self._at) or _STRING.match(self._text, self._at)
            if found is None:
                return
            self._at = found.end()
            yield found[0].strip("\"'")
            self._skip()
            if self._text[self._at] != ".":
                return
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if found := _STRING.match(self._text, self._at):
            self._at = found.end()
        elif opening in "[{":
            self._at += 1
            index = 0
            while self._text[self._skip()] not in "]}":
                if opening == "{":
                    self._pair(path)
                else:
                    self._mark((*path, index), self._at)
                    self._value((*path, index))
                    index += 1
                if self._text[self._skip()] == ",":
                    self._at += 1
            self._at += 1
        elif found := _SCALAR.match(self._text, self._at):
            self._at = found.end()

    def _skip(self) -> int:
        if found := _BLANK.match(self._text, self._at):
            self._at = found.end()
        return self._at

    def _mark(self, path: KeyPath, at: int) -> None:
        self._lines.setdefault(path, bisect_left(self._newlines, at) + 1)
