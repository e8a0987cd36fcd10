"""Sentences for people, in English and Chinese, kept side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Lang(StrEnum):
    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, slots=True)
class Words:
    """The same sentence in both languages; plain `str()` gives the English one."""

    en: str
    zh: str

    def to(self, lang: Lang) -> str:
        return self.zh if lang is Lang.ZH else self.en

    def __str__(self) -> str:
        return self.en


def language(environment: Mapping[str, str], chosen: str | None = None) -> Lang:
    """The language asked for (`--lang zh`), else the one of the terminal."""
    named = chosen or next((environment[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(key)), "")
    return Lang.ZH if named.lower().startswith("zh") else Lang.EN
