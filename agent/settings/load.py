"""From a TOML file to settings that can be run, or to every reason why not."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agent.settings import checks
from agent.settings.explain import explain
from agent.settings.lines import locate
from agent.settings.models import Settings
from agent.settings.problems import Finding, Problem, SettingsError, key_text
from agent.settings.weaknesses import weaknesses
from agent.words import Words, why
from drivers.camera import CameraSource

Model = TypeVar("Model", bound=BaseModel)

_CLIP = "file:"
_MAX_BYTES = 1 << 20  # a compound with a thousand doors takes a third of this
_FULL_WIDTH = frozenset("“”‘’＂＇，＝［］【】｛｝＃．。")
_MAX_DEPTH = 32  # polygons of a camera's privacy zones are 6 deep
_AS_SERVICE = Words(
    "Run it as the service's user: sudo -u gatehouse gatehouse …", "请以服务用户运行：sudo -u gatehouse gatehouse …"
)
_TOO_DEEP = Problem(
    "file",
    Words("is nested too deeply.", "嵌套层数过多。"),
    Words("Remove the surplus brackets or dots.", "请删除多余的括号或点号。"),
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """`settings` is None exactly when there are problems; weaknesses are allowed."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()
    weaknesses: tuple[Problem, ...] = ()


def load(path: Path) -> Settings:
    """Settings of a file; relative paths in it count from its folder.

    Raises: SettingsError with every problem found.
    """
    inspection = inspect(path)
    if inspection.settings is None:
        raise SettingsError(path, inspection.problems)
    return inspection.settings


def inspect(path: Path) -> Inspection:
    """Everything there is to say about a settings file; never raises for what stands in it."""
    text = _read(path)
    if isinstance(text, Problem):
        return Inspection(None, (text,))
    return inspect_text(text, path.parent.absolute())


def inspect_text(text: str, folder: Path) -> Inspection:
    """The same for a text whose relative paths count from `folder`."""
    raw = _parse(text)
    if isinstance(raw, Problem):
        return Inspection(None, (raw,))
    try:
        settings = Settings.model_validate_json(json.dumps(raw, default=_no_json), strict=True)
    except ValidationError as err:
        return Inspection(None, _placed(explain(err, raw), raw, text))
    problems = _placed(tuple(checks.problems(settings)), raw, text)
    weak = _placed(tuple(weaknesses(settings)), raw, text)
    if problems:
        return Inspection(None, problems, weak)
    return Inspection(_resolved(settings, folder), (), weak)


def _read(path: Path) -> str | Problem:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as err:
        reason = why(err)
        return Problem(
            "file",
            Words(f"{path} cannot be read: {reason.en}.", f"无法读取 {path}：{reason.zh}。"),
            _AS_SERVICE
            if isinstance(err, PermissionError)
            else Words("Name a TOML file that exists.", "请指定一个存在的 TOML 文件。"),
        )
    if len(content) > _MAX_BYTES:
        return Problem(
            "file",
            Words(f"{path} is larger than 1 MiB.", f"{path} 超过 1 MiB。"),
            Words("Name the compound's settings file.", "请指定小区的配置文件。"),
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        return Problem(
            "file",
            Words("is not UTF-8 text.", "不是 UTF-8 编码的文本。"),
            Words("Save the file with the encoding UTF-8.", "请将文件保存为 UTF-8 编码。"),
            content.count(b"\n", 0, err.start) + 1,
        )


def _parse(text: str) -> dict[str, object] | Problem:
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        return _TOO_DEEP
    except ValueError as err:
        return _bad_toml(text, str(err))
    return _oversized(raw) or raw


def _bad_toml(text: str, message: str) -> Problem:
    place = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$", message)
    said = message[: place.start()] if place else message
    line = int(place[1]) if place and place[1] else text.count("\n") + 1 if place else None
    if line and (wide := _full_width(text.splitlines()[max(0, line - 2) : line])):
        return Problem(
            "file",
            Words(f"is not valid TOML: here or one line up stands {wide}, typed in Chinese.",
                  f"不是有效的 TOML：这一行或上一行有全角符号 {wide}。"),
            Words("Type it anew with the keyboard set to English.", "请切换到英文输入法（半角）重新输入该符号。"),
            line,
        )  # fmt: skip
    return Problem(
        "file",
        Words(f"is not valid TOML: {said}.", f"不是有效的 TOML：{said}。"),
        Words(
            "Look here and one line up for a missing quote, bracket, comma or equals sign, or a key given twice.",
            "请检查这一行及上一行：是否缺少引号、括号、逗号或等号，或重复写了同一个键。",
        ),
        line,
    )


def _full_width(lines: Iterable[str]) -> str | None:
    """The first of the signs that a Chinese keyboard gives in place of TOML's own, outside comments and texts."""
    code = (re.sub(r'"[^"]*"|#.*', "", line) for line in lines)
    return next((char for line in code for char in line if char in _FULL_WIDTH), None)


def _oversized(raw: dict[str, object]) -> Problem | None:
    """What TOML's grammar lets through but no reader of JSON: endless nesting and numbers beyond 64 bits."""
    waiting: list[tuple[object, int]] = [(raw, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            return _TOO_DEEP
        if isinstance(value, dict | list):
            waiting += [(below, depth + 1) for below in (value.values() if isinstance(value, dict) else value)]
        elif isinstance(value, int) and abs(value) >> 63:
            return Problem(
                "file",
                Words("holds a whole number beyond 64 bits.", "含有超出 64 位的整数。"),
                Words("Correct the number with far too many digits.", "请更正位数过多的数字。"),
            )
    return None


def _no_json(value: object) -> object:
    """A date or time: no key takes one, and no key takes this list either."""
    del value
    return [None]


def _placed(findings: Sequence[Finding], raw: Mapping[str, object], text: str) -> tuple[Problem, ...]:
    if not findings:
        return ()
    lines = locate(text)
    placed = []
    for found in findings:
        known = next((lines[found.path[:n]] for n in range(len(found.path), 0, -1) if found.path[:n] in lines), None)
        placed.append(Problem(key_text(raw, found.path), found.reason, found.cure, known))
    return tuple(sorted(placed, key=lambda problem: problem.line or 0))


def _resolved(model: Model, folder: Path) -> Model:
    """The same settings with every relative path made absolute."""
    changed: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = _resolved(value, folder)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            changed[name] = tuple(_resolved(entry, folder) for entry in value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Path):
            changed[name] = tuple(folder / entry for entry in value)
    if isinstance(model, CameraSource):
        if model.source.startswith(_CLIP):
            changed["source"] = _CLIP + str(folder / model.source.removeprefix(_CLIP))
        if model.password_file is not None:
            changed["password_file"] = str(folder / model.password_file)
    return model.model_copy(update=changed)
