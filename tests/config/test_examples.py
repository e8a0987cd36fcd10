"""What config/ publishes: the schema is the models', and every example can be run."""

import json
import tomllib
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it publishes no type information
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.settings import inspect, schema_text
from agent.settings.load import inspect_text

FOLDER = Path(__file__).parents[2] / "config"
EXAMPLES = sorted(FOLDER.glob("*.toml"))
SCHEMA: dict[str, Any] = json.loads((FOLDER / "compound.schema.json").read_text())
EXAMPLE: dict[str, Any] = tomllib.loads((FOLDER / "example.toml").read_text())


def test_published_schema_is_the_models() -> None:
    published = (FOLDER / "compound.schema.json").read_text()
    assert published == schema_text(), "write it anew: make schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_can_be_run_and_fits_the_schema(path: Path) -> None:
    assert inspect(path).problems == ()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(tomllib.loads(path.read_text()), SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_editors_find_the_schema(path: Path) -> None:
    assert path.read_text().startswith("#:schema ./compound.schema.json\n")


def test_example_shows_every_key_there_is() -> None:
    text = (FOLDER / "example.toml").read_text()
    keys = {key for node in [SCHEMA, *SCHEMA["$defs"].values()] for key in node.get("properties", {})}
    assert {key for key in keys if key not in text} == set()


def _places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, below in entries for place in _places(below, (*path, key)))]


PLACES = _places(EXAMPLE)[1:]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.dates(),
    st.lists(st.integers(-5, 5), max_size=3),
    st.dictionaries(
        st.sampled_from(["id", "driver", "line", "zz"]), st.sampled_from(["osdp", "gpio", "a", 5]), max_size=3
    ),
    st.sampled_from(["osdp", "gpio", "modbus", "bit", "off", "mqtts://[", "file:\0", "gpio/east-lock", "reader-east"]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_any_mutation_loads_or_is_explained(mutations: list[tuple[tuple[str | int, ...], Any]]) -> None:
    raw: Any = deepcopy(EXAMPLE)
    for path, value in mutations:
        with suppress(KeyError, IndexError, TypeError, AttributeError):  # the place went away with an earlier mutation
            node: Any = raw
            for part in path[:-1]:
                node = node[part]
            if value is None:
                node.pop(path[-1])
            else:
                node[path[-1]] = value
    found = inspect_text(tomli_w.dumps(raw), Path("/etc/gatehouse"))
    assert (found.settings is None) == bool(found.problems)
    for said in (*found.problems, *found.weaknesses):
        assert all((said.key, said.reason.en, said.reason.zh, said.cure.en, said.cure.zh))
        assert said.line is None or said.line > 0
        str(said)
