"""The JSON Schema of a settings file, for editors and for other people's tools."""

import ast
import inspect
import json
import sys
from typing import Any

from pydantic import BaseModel

from agent.settings.models import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The published text of config/compound.schema.json."""
    schema = Settings.model_json_schema()
    describe(Settings, schema["properties"])
    for name, model in models_within(Settings).items():
        describe(model, schema["$defs"][name]["properties"])
    schema["title"] = "Gatehouse compound"
    return json.dumps({"$schema": _DIALECT, **schema}, ensure_ascii=False, indent=2) + "\n"


def models_within(top: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Every model that the settings are made of, by name."""
    found: dict[str, type[BaseModel]] = {}
    open_types: list[Any] = [field.annotation for field in top.model_fields.values()]
    while open_types:
        kind = open_types.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                open_types += [field.annotation for field in kind.model_fields.values()]
        else:
            open_types += getattr(kind, "__args__", ())
    return found


def describe(model: type[BaseModel], properties: dict[str, Any]) -> None:
    """Put the docstring below each field into the schema; editors show it."""
    for owner in reversed(model.__mro__):
        if not (issubclass(owner, BaseModel) and owner is not BaseModel):
            continue
        if not hasattr(sys.modules[owner.__module__], owner.__name__):
            continue  # made at run time: its bases have the words
        body = ast.parse(inspect.getsource(owner)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    properties[model.model_fields[name].alias or name]["description"] = inspect.cleandoc(words)
                case _:
                    continue
