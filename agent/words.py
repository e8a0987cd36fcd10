"""Sentences for people, in English and Chinese, kept side by side.

How the Chinese is set: a space between a Chinese sign and a Latin letter or digit, whether written or put in
(`spaced`); punctuation of full width (，。；：？！（）) with no space about it, and 、 between the members of a list.
What is typed, or stands so in a file, keeps the signs it is typed with: `mqtts://主机:端口`.
"""

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


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


class Phrasebook:
    """Chinese of English sentences; `{}` stands for whatever one names, in the same order in both.

    What is named may be a sentence too: "bus rs485 is down: no answer".
    A sentence that is not known here stays English: rather a foreign sentence than none.
    """

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._sentences = sentences

    def both(self, sentence: str) -> Words:
        """The sentence, and its Chinese; of reasons that begin with a place (`file: …`) the place stays."""
        known = self._chinese(sentence)
        if known is None and ": " in sentence:
            place, _, rest = sentence.partition(": ")
            inner = self._chinese(rest)
            known = None if inner is None else f"{place}：{inner}"
        return Words(sentence, known or sentence)

    def _chinese(self, sentence: str) -> str | None:
        if (whole := self._sentences.get(sentence)) is not None:
            return whole
        for pattern, chinese in self._patterns.items():
            if found := pattern.fullmatch(sentence):
                return chinese.format(*map(self._named, found.groups()))
        return None

    def _named(self, text: str) -> str:
        """What stands in a sentence; a log, of more than one line, is none itself."""
        return text if "\n" in text else self.both(text).zh

    @cached_property
    def _patterns(self) -> Mapping[re.Pattern[str], str]:
        """The most particular first: "there is no model card {}" before "there is no {} {}"."""
        by_length = sorted(self._sentences.items(), key=lambda pair: len(pair[0]), reverse=True)
        named = ((en, zh) for en, zh in by_length if "{}" in en)
        return {re.compile(re.escape(en).replace(r"\{\}", "(.+?)"), re.DOTALL): zh for en, zh in named}


def spaced(named: str) -> str:
    """What is put in behind a Chinese sign: with a space, unless it is Chinese itself."""
    return named if _CHINESE.match(named) else f" {named}"


def language(environment: Mapping[str, str], chosen: str | None = None) -> Lang:
    """The language asked for (`--lang zh`), else the one of the terminal."""
    named = chosen or next((environment[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(key)), "")
    return Lang.ZH if named.lower().startswith("zh") else Lang.EN


_CHINESE = re.compile("[一-鿿]")
_IN_CHINESE = {
    errno.ENOENT: "文件不存在",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EISDIR: "是目录，不是文件",
    errno.ENOTDIR: "不是目录",
    errno.EROFS: "磁盘只读",
    errno.ENOSPC: "磁盘已满",
    errno.EIO: "读写出错",
}


def why(error: OSError) -> Words:
    """The operating system's reason; in Chinese where it is a common one."""
    said = error.strerror or type(error).__name__
    return Words(said, _IN_CHINESE.get(error.errno or 0, said))
