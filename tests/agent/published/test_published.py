"""What config/contract/ publishes is what the code does, and others' tools can read it."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it publishes no type information
import pytest

from agent.contract import bodies_of, body_of
from agent.events import Event, Kind, Lane
from agent.published.files import files
from agent.published.kinds import sample
from tests.conftest import need
from tests.declared import check_event, check_message

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "config" / "contract"
PARSER = ROOT / "tests" / "contract_js"
MODULES = ROOT / ".venv" / "js" / "node_modules"
EXAMPLES: list[dict[str, Any]] = json.loads((FOLDER / "examples.json").read_text())
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text()) for path in (FOLDER / "schemas").iterdir()
}


def carried(payload: str) -> Any:
    """The JSON of a payload, or what a JWS carries."""
    if payload.startswith("{"):
        return json.loads(payload)
    _, claims, _ = payload.split(".")
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


def validator(name: str) -> Any:
    return jsonschema.Draft202012Validator(SCHEMAS[name], format_checker=jsonschema.FormatChecker())


def test_published_files_are_those_the_code_makes() -> None:
    made = files()
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    written = {"README.md", "README.zh-CN.md", "begin.py", "begin.mjs"}
    assert there - set(made) == written, "left over or missing: make contract"
    for name, text in made.items():
        assert (FOLDER / name).read_text() == text, f"{name}: make contract"


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_json_schema_and_pass_over_what_a_newer_peer_adds(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    for example in EXAMPLES:
        if example["schema"] == name and example["payload"].startswith("{"):
            validator(name).validate(json.loads(example["payload"]) | {"added-later": {"by": "2.0"}})


def test_every_message_has_an_example_that_fits_its_schema() -> None:
    assert {example["schema"] for example in EXAMPLES} == set(SCHEMAS)
    for example in EXAMPLES:
        validator(example["schema"]).validate(carried(example["payload"]))


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_says_all_it_declares_and_its_schema_misses_nothing(kind: Kind) -> None:
    made = sample(kind)
    check_message(made.topic, made.payload)
    schema, document = validator("event.schema.json"), json.loads(made.payload)
    for name in SCHEMAS["event.schema.json"]["required"]:
        assert not schema.is_valid({key: value for key, value in document.items() if key != name}), name
    for name in SCHEMAS["event.schema.json"]["$defs"][kind]["required"]:
        data = {key: value for key, value in document["data"].items() if key != name}
        assert not schema.is_valid(document | {"data": data}), name


def test_an_undeclared_fact_is_found() -> None:
    with pytest.raises(AssertionError, match=r"door\.forced: .*'plate'"):
        check_event(Event(Kind.DOOR_FORCED, "north-gate", 1.0, {"plate": "B"}))


def test_the_digest_of_each_published_event_can_be_recomputed_from_its_bytes() -> None:
    for example in EXAMPLES:
        if example["schema"] == "event.schema.json":
            payload = example["payload"].encode()
            document = json.loads(payload)
            epoch, lane = document["source"].split("/")[2], document["id"].split("/")[0]
            digest = hashlib.sha256(f"{epoch}/{lane}".encode()).digest()
            for body in bodies_of(payload) if lane == Lane.TELEMETRY else [body_of(payload)]:
                digest = hashlib.sha256(digest + body).digest()
            assert digest.hex() == document["digest"], example["topic"]


def test_the_official_parser_takes_the_asyncapi_document() -> None:
    need(shutil.which("node") and MODULES.exists(), "node, and @asyncapi/parser from npm (make test installs it)")
    said = subprocess.run(
        ["node", PARSER / "validate.cjs", FOLDER / "asyncapi.json"],
        env={"NODE_PATH": str(MODULES), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert found["diagnostics"] == []
    published = json.loads((FOLDER / "asyncapi.json").read_text())
    assert found["messages"] == len(published["components"]["messages"])


def test_the_parsers_lock_names_no_registry() -> None:
    text = (PARSER / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert '"integrity"' in text
