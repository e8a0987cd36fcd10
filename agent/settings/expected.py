"""What would be right at a key, read from the published schema and said in plain words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from agent.settings.problems import KeyPath
from agent.words import Words, spaced

Node: TypeAlias = Mapping[str, Any]

PATTERNS: Mapping[str, Words] = {
    r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$": Words(
        'an id of lower-case letters a-z, digits and inner hyphens, at most 40, such as "north-gate"',
        '由小写字母 a-z、数字及中间的连字符组成的标识，最多 40 个字符，例如 "north-gate"',
    ),
    r"^[0-9A-Za-z]{4,12}$": Words(
        "an area code of 4 to 12 digits or letters, in quotes: city and county 6 digits, street 9, community 12",
        "4 到 12 位数字或字母的区划代码，加引号：市、区县 6 位，街道 9 位，社区 12 位",
    ),
    r"^gh-[0-9a-z]{4,32}$": Words(
        '"gh-" and 4 to 32 lower-case letters or digits, such as "gh-7f3a09"',
        '"gh-" 加 4 到 32 个小写字母或数字，例如 "gh-7f3a09"',
    ),
    r"^[A-Za-z]+(/[A-Za-z0-9_+-]+)*$": Words(
        'a time zone of the IANA list, in quotes, such as "Asia/Shanghai"',
        'IANA 时区名称，加引号，例如 "Asia/Shanghai"',
    ),
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": Words(
        'a time of day from "00:00" to "24:00", in quotes, such as "08:30"',
        '"00:00" 到 "24:00" 之间的时刻，加引号，例如 "08:30"',
    ),
    r"^2[0-9]{3}-[01][0-9]-[0-3][0-9]$": Words(
        'a date in quotes, such as "2026-10-01"',
        '加引号的日期，例如 "2026-10-01"',
    ),
    r"^[ -~]{1,32}$": Words(
        'a text of 1 to 32 ASCII characters, such as "WELCOME"',
        '1 到 32 个 ASCII 字符的文本，例如 "WELCOME"',
    ),
    r"^[0-9a-f]{6}-[0-9a-f]{2}-[0-9a-f]{8}$": Words(
        'the identity that "gatehouse reader scan" prints, such as "000ee3-10-06239707"',
        '"gatehouse reader scan" 显示的读卡器身份，例如 "000ee3-10-06239707"',
    ),
    r"^(127(\.[0-9]{1,3}){3}|\[::1\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})$": Words(
        'an address of this machine itself and a port, such as "127.0.0.1:9108"',
        '本机回环地址和端口，例如 "127.0.0.1:9108"',
    ),
    r"^mqtts?://": Words(
        'an address such as "mqtts://broker.example.cn:8883"',
        '形如 "mqtts://broker.example.cn:8883" 的地址',
    ),
}
"""Every pattern of the models in words; a test holds the two together."""


def node_at(root: Node, raw: object, path: KeyPath) -> Node | None:
    """The schema of the place, or None where nothing is known; `raw` chooses among drivers."""
    node, value = _deref(root, root, raw), raw
    for part in path:
        if isinstance(part, int):
            fixed = node.get("prefixItems", ())
            below = fixed[part] if part < len(fixed) else node.get("items")
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            below = node.get("properties", {}).get(part) or node.get("additionalProperties") or None
            value = value.get(part) if isinstance(value, Mapping) else None
        if below is None:
            return None
        node = _deref(root, below, value)
    return node


def known_keys(node: Node) -> tuple[str, ...]:
    """The keys of a table; before its driver is known, `driver`."""
    if "oneOf" in node:
        return (node["discriminator"]["propertyName"],)
    return tuple(node.get("properties", ()))


def shown(value: object) -> Words:
    """A value as it stands in the file, shortened; never more than a line, never a password in an address."""
    if isinstance(value, bool):
        return _same("true" if value else "false")
    if isinstance(value, str):
        printable = "".join(c if c.isprintable() else "�" for c in _without_password(value))
        return _same(f'"{printable[:40]}…"' if len(printable) > 40 else f'"{printable}"')
    if isinstance(value, int | float):
        text = f"{value:.12g}" if isinstance(value, float) else hex(value) if abs(value) >> 64 else str(value)
        return _same(f"{text[:20]}…" if len(text) > 24 else text)
    if isinstance(value, list):
        return Words("a list", "一个列表")
    if isinstance(value, Mapping):
        return Words("a table", "一个表")
    return Words("a date or time", "一个日期或时间")


def expected(root: Node, node: Node) -> Words:
    """What may stand there, to complete the sentence `Write …`."""
    node = _deref(root, node, None)
    if "anyOf" in node:
        choices = [expected(root, choice) for choice in node["anyOf"] if choice.get("type") != "null"]
        return Words(" or ".join(c.en for c in choices), "或".join(c.zh for c in choices))
    if "oneOf" in node:
        return Words('a table with the key "driver"', '含 "driver" 键的表')
    if "enum" in node or "const" in node:
        values = [shown(value).en for value in node.get("enum", [node.get("const")])]
        if len(values) == 1:
            return _same(values[0])
        return Words(f"one of {', '.join(values)}", f"以下之一：{'、'.join(values)}")
    return _BY_TYPE[node["type"]](root, node)


def _number(en: str, zh: str) -> Callable[[Node, Node], Words]:
    def words(root: Node, node: Node) -> Words:
        del root
        low, high = node.get("minimum"), node.get("maximum")
        above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
        lower = f" from {low}" if low is not None else f" above {above}" if above is not None else ""
        upper = f" to {high}" if high is not None else f" below {below}" if below is not None else ""
        lower_zh = f"不小于 {low}" if low is not None else f"大于 {above}" if above is not None else ""
        upper_zh = f"不大于 {high}" if high is not None else f"小于 {below}" if below is not None else ""
        if low is not None and high is None:
            lower = f" of at least {low}"
        limits = "、".join(filter(None, (lower_zh, upper_zh)))
        return Words(
            f"{en}{lower}{upper}, without quotes", f"{limits} 的{zh}（不加引号）" if limits else f"{zh}（不加引号）"
        )

    return words


def _text(root: Node, node: Node) -> Words:
    del root
    if pattern := node.get("pattern"):
        return PATTERNS[pattern]
    if node.get("format") == "path":
        return Words("the path of a file or folder, in quotes", "文件或文件夹的路径（加引号）")
    most, some = node.get("maxLength"), node.get("minLength")
    if most is not None:
        return Words(
            f"a text of {some or 0} to {most} characters, in quotes", f"{some or 0} 到 {most} 个字符的文本（加引号）"
        )
    if some:
        return Words("a text that is not empty, in quotes", "非空文本（加引号）")
    return Words("a text in quotes", "文本（加引号）")


def _list(root: Node, node: Node) -> Words:
    if (fixed := node.get("prefixItems")) and "prefixItems" in fixed[0]:
        return Words(
            f"a list of exactly {len(fixed)} points, such as [[120, 80], [300, 80]]",
            f"恰好 {len(fixed)} 个点的列表，例如 [[120, 80], [300, 80]]",
        )
    if fixed:
        return Words(
            f"a list of exactly {len(fixed)} numbers, such as [120, 80]",
            f"恰好 {len(fixed)} 个数的列表，例如 [120, 80]",
        )
    entry, least = expected(root, node["items"]), node.get("minItems", 0)
    if least:
        return Words(f"a list of at least {least}, each {entry.en}", f"至少 {least} 项的列表，每项为{spaced(entry.zh)}")
    return Words(f"a list in brackets, each entry {entry.en}", f"方括号列表，每项为{spaced(entry.zh)}")


def _table(root: Node, node: Node) -> Words:
    del root
    needed = ", ".join(node.get("required", ())) or ", ".join(node.get("properties", ()))
    return Words(f"a table with the keys {needed}", f"含以下键的表：{needed}")


def _truth(root: Node, node: Node) -> Words:
    del root, node
    return Words("true or false, without quotes", "true 或 false（不加引号）")


_BY_TYPE: Mapping[str, Callable[[Node, Node], Words]] = {
    "integer": _number("a whole number", "整数"),
    "number": _number("a number", "数字"),
    "string": _text,
    "array": _list,
    "object": _table,
    "boolean": _truth,
}


def _deref(root: Node, node: Node, value: object) -> Node:
    """Follow references, take the one choice beside null, and the driver that `value` names."""
    while True:
        if reference := node.get("$ref"):
            node = root["$defs"][reference.rpartition("/")[2]]
        elif len(choices := [c for c in node.get("anyOf", ()) if c.get("type") != "null"]) == 1:
            node = choices[0]
        elif "oneOf" in node and isinstance(value, Mapping) and value.get("driver") in _drivers(node):
            node = {"$ref": node["discriminator"]["mapping"][value["driver"]]}
        else:
            return node


def _drivers(node: Node) -> Sequence[str]:
    return tuple(node["discriminator"]["mapping"])


def _same(text: str) -> Words:
    return Words(text, text)


def _without_password(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if not mark or "@" not in rest:
        return text
    return f"{scheme}://…@{rest.rpartition('@')[2]}"
