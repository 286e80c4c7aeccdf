from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gapless.planning import PlanOptions, make_plan
from gapless.plans import Plan, StepKind, Verb, from_json, to_json
from gapless.undo import rollback_plan
from tests.unit.config.shop import SHOP, loaded
from tests.unit.planning.test_make import TARGETS, WEB, survey_of

SNAPSHOT = {"stored": "/var/lib/gapless/snapshots/1"}


@pytest.fixture
def original(tmp_path: Path) -> Plan:
    text = SHOP.replace("batch: 25%, max_unavailable: 1", "batch: 2, max_unavailable: 2")
    text = text.replace(
        "    systemd: shop-postgresql.service\n",
        ("    systemd: shop-postgresql.service\n    release: {directory: pg, to: /srv/pg}\n"),
    )
    return make_plan(
        loaded(tmp_path, text),
        verb=Verb.DEPLOY,
        targets={**TARGETS, "shop.postgresql": TARGETS["shop.api"]},
        survey=survey_of(),
        options=PlanOptions(canary=0),
    )


def test_only_what_has_something_to_go_back_to(original: Plan) -> None:
    plan = rollback_plan(original, {"shop.api": {WEB[2]: SNAPSHOT}}, now=9.0, parent="r1")
    assert (plan.verb, plan.parent, plan.created) == (Verb.ROLLBACK, "r1", 9.0)
    assert [service.name for service in plan.services] == ["shop.api"]
    assert plan.services[0].hosts == (WEB[2],)
    assert plan.services[0].snapshots == {WEB[2]: SNAPSHOT}
    assert plan.definitions == original.definitions


def test_failed_hosts_first_as_many_at_once_as_before(original: Plan) -> None:
    targets = {"shop.api": dict.fromkeys(WEB, SNAPSHOT)}
    plan = rollback_plan(original, targets, now=0, parent="r1", failed={"shop.api": [WEB[3]]})
    service = plan.services[0]
    assert [batch.hosts for batch in service.batches] == [(WEB[3], WEB[0]), (WEB[1], WEB[2])]
    assert service.floor == original.service("shop.api").floor
    assert service.on_failure == "stop"


def test_what_is_removed_goes_last_and_lowers_the_floor(original: Plan) -> None:
    """Apart from the others: while they are out it still serves. One that failed is gone, too."""
    absent = {"runtime": {"facts": {"absent": True}}, "release": None}
    api = replace(original.service("shop.api"), floor=3, installs=(WEB[0], WEB[3]))
    services = tuple(api if s.name == api.name else s for s in original.services)
    targets = {"shop.api": {WEB[0]: absent, WEB[1]: SNAPSHOT}}
    failed = {"shop.api": [WEB[3]]}
    changed = replace(original, services=services)
    (service,) = rollback_plan(changed, targets, now=0, parent="r1", failed=failed).services
    assert [batch.hosts for batch in service.batches] == [(WEB[1],), (WEB[0],)]
    assert service.floor == 1


def test_nothing_is_staged_or_migrated(original: Plan) -> None:
    targets = {"shop.api": {WEB[0]: SNAPSHOT}}
    service = rollback_plan(original, targets, now=0, parent="r1").services[0]
    assert " ".join(service.steps) == "preflight snapshot drain switch ready admit soak commit"
    assert StepKind.MIGRATE in original.service("shop.api").steps


def test_what_depends_goes_back_first(original: Plan) -> None:
    targets = {
        "shop.postgresql": {"db1.shop.example": SNAPSHOT},
        "shop.api": {WEB[0]: SNAPSHOT},
    }
    plan = rollback_plan(original, targets, now=0, parent="r1")
    assert [(s.name, s.wave, s.after) for s in plan.services] == [
        ("shop.api", 1, ()),
        ("shop.postgresql", 2, ("shop.api",)),
    ]


def test_it_goes_from_the_new_release(original: Plan) -> None:
    plan = rollback_plan(original, {"shop.api": {WEB[0]: SNAPSHOT}}, now=0, parent="r1")
    assert (plan.services[0].from_, plan.services[0].to) == ({WEB[0]: "v42"}, {})


def test_nothing_to_take_back(original: Plan) -> None:
    plan = rollback_plan(original, {"shop.api": {}}, now=0, parent="r1")
    assert (plan.services, plan.expected) == ((), 0.0)


def test_it_survives_json(original: Plan) -> None:
    plan = rollback_plan(original, {"shop.api": {WEB[0]: SNAPSHOT}}, now=0, parent="r1")
    assert from_json(json.loads(json.dumps(to_json(plan)))).digest == plan.digest
