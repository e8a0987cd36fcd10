"""The JSON Schema of a settings file, for editors and for other people's tools."""

import json

from agent.settings.models import Settings


def schema_text() -> str:
    """The published text of config/compound.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
