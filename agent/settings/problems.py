"""What is wrong with a settings file: where, why, and what would be right."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agent.words import Lang, Words
from drivers.base import ConfigError

_PLAIN = re.compile(r"[a-z0-9-]{1,40}")

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`key` reads `devices.osdp-1.readers.reader-north.address`; `line` counts from 1 where it is known."""

    key: str
    reason: Words
    cure: Words
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.key} {self.reason.en} {self.cure.en}"

    def said(self, lang: Lang) -> str:
        """Key and reason. `file` stands for the whole file."""
        if lang is Lang.EN:
            return f"{self.key} {self.reason.en}"
        return f"{'文件' if self.key == 'file' else self.key}：{self.reason.zh}"

    def line_of(self, path: Path, lang: Lang) -> str:
        """Everything in one line, for a log."""
        place = f"{path}:{self.line}" if self.line else str(path)
        return f"{place}: {self.said(lang)} → {self.cure.to(lang)}"


class SettingsError(ConfigError):
    """The settings cannot be run; `problems` holds every one that was found."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        place = f"{path}:{first.line}" if first.line else str(path)
        rest = f" ({more} more)" if more else ""
        super().__init__(
            f"{place}: {first.key} {first.reason.en}{rest}", hint=f"{first.cure.en} See: gatehouse check {path}"
        )
        self.path = path
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or weakness before it is put into words for the file: `path` as the parser counts."""

    path: KeyPath
    reason: Words
    cure: Words


def key_text(raw: object, path: KeyPath) -> str:
    """The path as people read it: list entries by their id where that is unmistakable, else by number."""
    text, node = "", raw
    for part in path:
        if isinstance(part, int):
            entries = node if isinstance(node, list) else []
            name = _id_of(entries, part)
            text += f".{name}" if name else f"[{part}]"
            node = entries[part] if part < len(entries) else None
        else:
            text += f".{part}" if text else part
            node = node.get(part) if isinstance(node, Mapping) else None
    return text or "file"


def _id_of(entries: Sequence[object], index: int) -> str | None:
    ids = [entry.get("id") if isinstance(entry, Mapping) else None for entry in entries]
    if index >= len(ids):
        return None
    name = ids[index]
    return name if isinstance(name, str) and _PLAIN.fullmatch(name) and ids.count(name) == 1 else None
