"""What is wrong with a document that holds card numbers: where and what, never the value."""

import re

from pydantic import ValidationError

_NAME = re.compile(r"[a-z_]{1,24}")
_TELLING = frozenset({"union_tag_invalid", "value_error", "assertion_error"})
"""Errors whose message quotes what stands there."""


def problem(err: ValidationError) -> str:
    """The first problem. A key is shown only when it looks like a name: it may be a card as well."""
    first = err.errors(include_input=False, include_url=False, include_context=False)[0]
    parts = [str(part) if isinstance(part, int) or _NAME.fullmatch(part) else "…" for part in first["loc"]]
    said = "is not valid here" if first["type"] in _TELLING else first["msg"]
    return f"{'.'.join(parts)}: {said}" if parts else said
