"""Sentences for people, in English and Chinese, kept side by side."""

import errno
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
