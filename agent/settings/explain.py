"""Pydantic's errors in plain words. What would be right is read from the published schema."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agent.settings.expected import Node, expected, known_keys, node_at, shown
from agent.settings.models import Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words, spaced

_MISSING = object()


def explain(err: ValidationError, raw: Mapping[str, object]) -> tuple[Finding, ...]:
    """One finding for each place in the file that is wrong."""
    schema = Settings.model_json_schema()
    found: dict[KeyPath, Finding] = {}
    for detail in err.errors(include_url=False):
        path = _path(detail, raw)
        if path not in found and not _follows(detail, path, raw):
            found[path] = _finding(detail, path, schema, raw)
    return tuple(found.values())


def _path(detail: ErrorDetails, raw: Mapping[str, object]) -> KeyPath:
    """The place in the file: pydantic's location without the names of the choices it tried."""
    loc = detail["loc"]
    if loc[0] == "devices" and len(loc) > 2:
        loc = (*loc[:2], *loc[3:])
    node: object = raw
    path: KeyPath = ()
    for part in loc:
        if path[-1:] == ("line",) or not isinstance(node, Mapping if isinstance(part, str) else list):
            break
        path = (*path, part)
        node = _below(node, part)
    if path and isinstance(path[-1], int) and node is _MISSING:
        path = path[:-1]  # a pair with one number: the pair is wrong
    return (*path, "driver") if detail["type"].startswith("union_tag") else path


def _follows(detail: ErrorDetails, path: KeyPath, raw: Mapping[str, object]) -> bool:
    """Whether a list is only called too short because entries of it are wrong, which is said already."""
    value = _value(raw, path)
    return detail["type"] == "too_short" and isinstance(value, list) and len(value) >= detail["ctx"]["min_length"]


def _value(raw: Mapping[str, object], path: KeyPath) -> object:
    value: object = raw
    for part in path:
        value = _below(value, part)
    return value


def _below(node: object, part: str | int) -> object:
    if isinstance(node, Mapping):
        return node.get(part, _MISSING)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return _MISSING


def _finding(detail: ErrorDetails, path: KeyPath, schema: Node, raw: Mapping[str, object]) -> Finding:
    value = _value(raw, path)
    if detail["type"] == "extra_forbidden":
        return Finding(path, *_unknown(path, schema, raw))
    right = _right(detail, path, schema, raw)
    if value is _MISSING:
        return Finding(
            path,
            Words("is missing.", "缺失。"),
            Words(f"Add {path[-1]}: {right.en}.", f"请添加 {path[-1]}：{right.zh}。"),
        )
    return Finding(path, _reason(detail, value), _cure(value, right, _choices(path, schema, raw)))


def _unknown(path: KeyPath, schema: Node, raw: Mapping[str, object]) -> tuple[Words, Words]:
    keys = known_keys(node_at(schema, raw, path[:-1]) or {})
    reason = Words("is not a key that is known here.", "此处没有这个键。")
    if close := get_close_matches(str(path[-1]), keys, 1, 0.6):
        return reason, Words(f'Did you mean "{close[0]}"?', f'是否应为 "{close[0]}"？')
    return reason, Words(f"Remove it; known here: {', '.join(keys)}.", f"请删除；此处可用的键：{'、'.join(keys)}。")


def _right(detail: ErrorDetails, path: KeyPath, schema: Node, raw: Mapping[str, object]) -> Words:
    if detail["type"].startswith("union_tag"):
        names = ", ".join(f'"{name}"' for name in _choices(path, schema, raw))
        return Words(f"one of {names}", f"以下之一：{names}")
    node = node_at(schema, raw, path)
    return expected(schema, node) if node is not None else Words("what the schema asks for", "符合配置格式的内容")


def _choices(path: KeyPath, schema: Node, raw: Mapping[str, object]) -> Sequence[str]:
    """The words that may stand at a key, where it is one of a closed list."""
    node = node_at(schema, raw, path)
    above = node_at(schema, raw, path[:-1])
    if above is not None and "oneOf" in above:
        return tuple(above["discriminator"]["mapping"])
    return [choice for choice in (node or {}).get("enum", ()) if isinstance(choice, str)]


def _cure(value: object, right: Words, choices: Sequence[str]) -> Words:
    cure = Words(f"Write {right.en}.", f"应写为：{right.zh}。")
    if isinstance(value, str) and (close := get_close_matches(value, choices, 1, 0.6)):
        return Words(f'Did you mean "{close[0]}"? {cure.en}', f'是否应为 "{close[0]}"？{cure.zh}')
    return cure


def _reason(detail: ErrorDetails, value: object) -> Words:
    kind, context, seen = detail["type"], detail.get("ctx", {}), shown(value)
    match kind:
        case "greater_than" | "greater_than_equal":
            bound = _bound(context)
            return Words(
                f"is {seen.en}, too small: the limit is {bound}.", f"当前为{spaced(seen.zh)}，过小：下限为 {bound}。"
            )
        case "less_than" | "less_than_equal":
            bound = _bound(context)
            return Words(
                f"is {seen.en}, too large: the limit is {bound}.", f"当前为{spaced(seen.zh)}，过大：上限为 {bound}。"
            )
        case "too_short" | "too_long":
            count, least = context["actual_length"], context.get("min_length", context.get("max_length"))
            return Words(
                f"has {count} entries; the limit is {least}.",
                f"有 {count} 项；限制为 {least} 项。",
            )
        case "string_too_short":
            return Words("is empty.", "为空。")
        case "string_too_long":
            return Words(
                f"is longer than {context['max_length']} characters.", f"超过 {context['max_length']} 个字符。"
            )
        case "enum" | "literal_error" | "union_tag_invalid":
            return Words(f"is {seen.en}, which is not a choice here.", f"当前为{spaced(seen.zh)}，不在可选范围内。")
        case "finite_number":
            return Words(f"is {seen.en}, not a finite number.", f"当前为{spaced(seen.zh)}，不是有限的数。")
        case "string_pattern_mismatch":
            return Words(f"is {seen.en}, which has not the right form.", f"当前为{spaced(seen.zh)}，格式不正确。")
        case _:
            return Words(f"is {seen.en}, which is of the wrong kind.", f"当前为{spaced(seen.zh)}，类型不正确。")


def _bound(context: Mapping[str, Any]) -> str:
    return f"{next(iter(context.values())):g}"
