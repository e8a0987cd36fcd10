"""What the doctor found, and how it is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.words import Lang, Words


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, but somebody should know
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """`area` is what was looked at; only what is not well has a cure."""

    area: Words
    level: Level
    what: Words
    cure: Words | None = None


def ok(area: Words, en: str, zh: str) -> Finding:
    return Finding(area, Level.OK, Words(en, zh))


def warn(area: Words, what: Words, cure: Words) -> Finding:
    return Finding(area, Level.WARN, what, cure)


def bad(area: Words, what: Words, cure: Words) -> Finding:
    return Finding(area, Level.BAD, what, cure)


_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.BAD: "✗"}


def report(findings: Sequence[Finding], lang: Lang) -> str:
    """Text for a terminal: a mark for each finding, its cure below it, and one closing sentence."""
    lines = []
    for finding in findings:
        colon = ": " if lang is Lang.EN else "："
        lines.append(f"{_MARKS[finding.level]} {finding.area.to(lang)}{colon}{finding.what.to(lang)}")
        if finding.cure is not None and finding.cure.en:
            lines.append(f"    → {finding.cure.to(lang)}")
    return "\n".join([*lines, "", _closing(findings).to(lang)])


def _closing(findings: Sequence[Finding]) -> Words:
    broken = sum(finding.level is Level.BAD for finding in findings)
    notes = sum(finding.level is Level.WARN for finding in findings)
    if broken:
        does = "thing does" if broken == 1 else "things do"
        return Words(f"✗ {broken} {does} not work.", f"✗ 有 {broken} 项不正常。")
    if notes:
        is_ = "note" if notes == 1 else "notes"
        return Words(f"✓ Everything works; {notes} {is_}.", f"✓ 全部正常，有 {notes} 条提示。")
    return Words("✓ Everything works.", "✓ 全部正常。")


def called(thing: str, names: Mapping[str, Any], what: Words) -> Words:
    """Its id as in the compound's file, with its name where it has one."""
    name = names.get(thing)
    if name is None:
        return Words(what.en + thing, what.zh + thing)
    return Words(f"{what.en}{thing} ({name['en']})", f"{what.zh}{thing}（{name['zh']}）")
