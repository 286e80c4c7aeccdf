"""JSON Schema of gapless.yaml, for editors and ``gapless schema``; made from the models.

What the models read generously is added here: a unit by its name alone, a host without settings,
``environments`` (the same file with nothing required), and top-level ``x-…`` keys for anchors.
"""

from __future__ import annotations

import copy
from typing import Any

from gapless.config.project import ProjectConfig
from gapless.config.quantities import format_duration

Schema = dict[str, Any]
_REF = "#/$defs/"
_PARTIAL = "Overlay"


def json_schema() -> Schema:
    """The schema of the file (not of the merged project)."""
    schema = ProjectConfig.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs")
    del schema["properties"]["environment"]
    schema["properties"]["hosts"]["additionalProperties"] = _or_null(_ref("HostConfig"))
    for kind in ("systemd", "compose", "docker"):
        definitions["ServiceConfig"]["properties"][kind]["anyOf"].insert(0, {"type": "string"})
    _short_budget(definitions)
    _short_evidence(definitions)
    _short_shares(definitions)
    tidy(schema)
    for definition in definitions.values():
        tidy(definition)
    partial = {f"{name}{_PARTIAL}": _partial(d) for name, d in definitions.items()}
    overlay = _partial(schema)
    overlay["description"] = "What is different in this environment; null removes a key."
    partial[f"Project{_PARTIAL}"] = overlay
    schema["properties"]["environments"] = {
        "description": "Overlays by name, chosen with -e: mappings merge, the rest replaces.",
        "type": ["object", "null"],
        "additionalProperties": _ref(f"Project{_PARTIAL}"),
    }
    whole = schema.pop("required")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gapless.yaml",
        **schema,
        # Any key may come from the environment that is chosen.
        "anyOf": [{"required": whole}, {"required": ["environments"]}],
        "description": "Hosts, services, and how services are replaced without losing a request.",
        "patternProperties": {"^x-": {"description": "Not read: a place for anchors."}},
        "$defs": {**definitions, **partial},
    }


def _short_budget(definitions: dict[str, Schema]) -> None:
    """A command by itself."""
    run = definitions["BudgetConfig"]["properties"]["run"]
    short = [dict(form) for form in run.get("anyOf", [run])]
    for form in short:
        form.pop("title", None)
    definitions["HandoverConfig"]["properties"]["budget"]["anyOf"][:0] = short


def _short_evidence(definitions: dict[str, Schema]) -> None:
    """The short forms of what ``verify`` asks."""
    text = {"type": "string"}
    asked = {"anyOf": [text, _ref("EndpointCheck")]}
    several = {"type": "array", "items": asked, "minItems": 1}
    verify = definitions["VerifyConfig"]["properties"]
    verify["endpoints"]["anyOf"][:0] = [text, several]
    verify["openapi"]["anyOf"].insert(0, text)
    verify["balancer_errors"]["anyOf"][:0] = [text, {"type": "array", "items": text}]
    endpoints = definitions["EndpointsConfig"]["properties"]
    endpoints["ask"] = {**endpoints["ask"], **several}


def _short_shares(definitions: dict[str, Schema]) -> None:
    """A share by itself, alone or in the list."""
    share = definitions["ShareConfig"]["properties"]["share"]
    text = {key: share[key] for key in ("type", "pattern")}
    one = {"anyOf": [text, _ref("ShareConfig")]}
    shift = definitions["RolloutConfig"]["properties"]["shift"]
    shift["anyOf"] = [*one["anyOf"], {"type": "array", "items": one}]


def _ref(name: str) -> Schema:
    return {"$ref": f"{_REF}{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def tidy(definition: Schema) -> None:
    """Without generated titles; defaults as they are written in a file."""
    definition.pop("title", None)
    for key in definition.get("properties", {}).values():
        key.pop("title", None)
        if key.get("default") in (None, [], {}) or isinstance(key.get("default"), dict):
            key.pop("default", None)
        if isinstance(key.get("default"), float) and "30s" in key.get("examples", ()):
            key["default"] = format_duration(key["default"])


def _partial(definition: Schema) -> Schema:
    """The same with nothing required, all the way down, and null to remove."""
    partial = copy.deepcopy(definition)
    partial.pop("required", None)
    if "properties" in partial:
        partial["properties"] = {
            key: _removable(value) for key, value in partial["properties"].items()
        }
    return partial


def _removable(value: Schema) -> Schema:
    value = _point_to_partial(value)
    if "additionalProperties" in value:
        value["additionalProperties"] = _or_null(value["additionalProperties"])
    description = value.pop("description", "")
    return {**_or_null(value), "description": description}


def _point_to_partial(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: f"{inner}{_PARTIAL}" if key == "$ref" else _point_to_partial(inner)
            for key, inner in value.items()
        }
    return [_point_to_partial(item) for item in value] if isinstance(value, list) else value
