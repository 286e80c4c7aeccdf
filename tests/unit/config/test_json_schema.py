from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gapless.config.base import Section
from gapless.config.descriptions import descriptions
from gapless.config.health import HealthConfig
from gapless.config.json_schema import json_schema
from gapless.config.keys import keys_at, keys_of
from gapless.config.project import ProjectConfig


def sections(kind: type[Section] = Section) -> Iterator[type[Section]]:
    for sub in kind.__subclasses__():
        if sub.__module__.startswith("gapless."):
            yield sub
            yield from sections(sub)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("section", sorted(set(sections()), key=str))
def test_every_key_says_what_it_is(section: type[Section]) -> None:
    assert section.__doc__, section
    missing = [name for name, text in descriptions(section).items() if not text]
    assert not missing


def test_every_key_of_the_schema_says_what_it_is() -> None:
    schema = json_schema()
    for name, definition in {"file": schema, **schema["$defs"]}.items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
            assert "title" not in value


def test_every_reference_leads_somewhere() -> None:
    schema = json_schema()
    names = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert names <= set(schema["$defs"])


def test_keys_are_those_of_a_file() -> None:
    schema = json_schema()
    assert "environment" not in schema["properties"]
    assert "environments" in schema["properties"]
    assert "from" in schema["$defs"]["HealthConfig"]["properties"]
    assert "ask_from" not in schema["$defs"]["HealthConfig"]["properties"]
    assert schema["anyOf"][0]["required"] == ["project", "hosts", "services"]
    assert schema["additionalProperties"] is False


def test_short_forms_are_in_it() -> None:
    definitions = json_schema()["$defs"]
    service = definitions["ServiceConfig"]["properties"]
    assert {"type": "string"} in service["systemd"]["anyOf"]
    assert {"type": "string"} in service["on"]["anyOf"]
    assert {"$ref": "#/$defs/HealthConfig"} in service["health"]["anyOf"]
    assert {"type": "null"} in json_schema()["properties"]["hosts"]["additionalProperties"]["anyOf"]


def test_defaults_are_written_as_in_a_file() -> None:
    health = json_schema()["$defs"]["HealthConfig"]["properties"]
    assert health["timeout"]["default"] == "30s"
    assert health["poll"]["default"] == "100ms"
    assert health["retries"]["default"] == 3
    assert "default" not in health["tcp"]


def test_an_environment_requires_nothing_all_the_way_down() -> None:
    definitions = json_schema()["$defs"]
    for name, definition in definitions.items():
        if name.endswith("Overlay"):
            assert "required" not in definition
            assert all(reference.endswith("Overlay") for reference in references(definition))


def test_it_is_json_and_always_the_same() -> None:
    assert json.dumps(json_schema()) == json.dumps(json_schema())


def test_keys_at_a_place() -> None:
    assert keys_at(ProjectConfig, ()) == keys_of(ProjectConfig)
    assert keys_at(ProjectConfig, ("services", "a", "health", 0)) == keys_of(HealthConfig)
    assert "path" in keys_at(ProjectConfig, ("services", "a", "verify", 1, "expect"))
    assert "url" in keys_at(ProjectConfig, ("services", "a", "health", 0, "http", "mapping"))
    assert "url" in keys_at(ProjectConfig, ("events", 0, "webhook"))
    assert "socket" in keys_at(ProjectConfig, ("balancers", "edge", "haproxy"))
