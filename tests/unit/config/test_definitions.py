from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from gapless.config.definitions import from_definitions, to_definitions
from gapless.config.secrets import resolve_secrets
from gapless.planning.make import make_plan
from gapless.plans import Plan, Verb, to_json
from tests.unit.config.shop import SHOP, loaded

CANARY = "canary-5f1c-never-seen"

EVERYTHING = (
    SHOP
    + """\
prove: {url: https://shop.example/, rate: 5, expect: [200, 3xx]}
events:
  - webhook: {url: https://hooks.example/x, secret: env:HOOK_KEY}
  - {jsonl: events.jsonl, types: rollout.}
"""
)


def plan_of(definitions: dict[str, object]) -> Plan:
    through_a_file = json.loads(json.dumps(definitions))
    return Plan("shop", Verb.RESTART, (), through_a_file)


@pytest.mark.parametrize("text", [SHOP, EVERYTHING])
@pytest.mark.parametrize("environment", [None, "staging"])
def test_the_project_comes_back_whole(tmp_path: Path, text: str, environment: str | None) -> None:
    found = loaded(tmp_path, text, environment)
    plan = plan_of(to_definitions(found, found.project.services))
    assert from_definitions(plan) == found.project


def test_only_what_is_involved(tmp_path: Path) -> None:
    definitions = to_definitions(loaded(tmp_path), ["shop.postgresql"])
    assert list(definitions["project"]["hosts"]) == ["db1.shop.example"]
    assert list(definitions["project"]["services"]) == ["shop.postgresql"]
    assert "balancers" not in definitions["project"]


def test_hosts_of_balancers_are_involved(tmp_path: Path) -> None:
    definitions = to_definitions(loaded(tmp_path), ["shop.api"])
    assert list(definitions["project"]["hosts"])[-1] == "lb1.shop.example"
    assert list(definitions["project"]["balancers"]) == ["edge"]


def test_equal_hosts_are_shared_again(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    project = from_definitions(plan_of(to_definitions(found, found.project.services)))
    assert project.hosts["web1.shop.example"] is project.hosts["web2.shop.example"]


async def _use(references: dict[str, str]) -> dict[str, str]:
    return await resolve_secrets(references)


def test_no_secret_value_is_in_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    (tmp_path / "token").write_text(CANARY)
    monkeypatch.setenv("CANARY", CANARY)
    references = {
        "A": "env:CANARY",
        "B": f"file:{tmp_path}/token",
        "C": f"command:cat {tmp_path}/token",
    }
    listed = ", ".join(f"{name}: '{reference}'" for name, reference in references.items())
    text = SHOP.replace("migrate deploy}", f"migrate deploy, secrets: {{{listed}}}}}")
    found = loaded(tmp_path, text)
    assert set(asyncio.run(_use(references)).values()) == {CANARY}
    plan = plan_of(to_definitions(found, found.project.services))
    assert CANARY not in json.dumps(dataclasses.asdict(plan))
    assert CANARY not in repr(from_definitions(plan))
    assert json.dumps(plan.definitions).count("env:CANARY") == 1


def test_a_zone_is_a_note_that_goes_along(tmp_path: Path) -> None:
    """Nothing is decided by it; who reads the plan finds it."""
    text = SHOP.replace("groups: [db]", "groups: [db], zone: rack7")
    assert text != SHOP
    plan = make_plan(loaded(tmp_path, text), verb=Verb.RESTART)
    assert "rack7" in json.dumps(to_json(plan))
