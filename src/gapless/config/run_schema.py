"""JSON Schema of a run file, for editors and ``gapless schema --run``; made from the model."""

from __future__ import annotations

from gapless.config.json_schema import Schema, tidy
from gapless.config.process import ProcessConfig


def run_schema() -> Schema:
    """The schema of a run file: what ``gapless run -c`` reads."""
    schema = ProcessConfig.model_json_schema(by_alias=True)
    for definition in (schema, *schema["$defs"].values()):
        tidy(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "gapless run file",
        "description": "One process that is replaced without losing a request.",
        "patternProperties": {"^x-": {"description": "Not read: a place for anchors."}},
    }
