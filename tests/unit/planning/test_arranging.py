"""Groups, canaries and zones in a plan: who goes when, and what the reader is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gapless import schedule
from gapless.engine.approving import approval_after
from gapless.errors import UsageError
from gapless.planning import PlanOptions, make_plan
from gapless.plans import Batch, Plan, Verb, from_json, to_json
from gapless.undo import rollback_plan
from tests.unit.config.shop import loaded

FLEET = """\
project: shop
hosts:
  web[1:4]: {{groups: [web, eqiad], zone: a}}
  web[5:8]: {{groups: [web, codfw], zone: b}}
  web9: {{groups: [web]}}
services:
  api:
    on: [web]
    systemd: api
    soak: 0
    expected: 10s
    rollout: {rollout}
"""
GROUPS = "groups: [{group: eqiad, batch: 50%, canary: 1, then: approve}, {group: codfw, then: 5m}]"


def plan_of(
    folder: Path, rollout: str, hosts: str | None = None, options: PlanOptions | None = None
) -> Plan:
    file = FLEET.format(rollout=f"{{{rollout}}}")
    return make_plan(
        loaded(folder, file), verb=Verb.RESTART, hosts=hosts, options=options or PlanOptions()
    )


def told(plan: Plan) -> list[str]:
    return [f"{b.group}/{b.name}:{','.join(b.hosts)}{_then(b)}" for b in plan.services[0].batches]


def _then(batch: Batch) -> str:
    return " approve" if batch.approve else f" {batch.wait:g}s" if batch.wait else ""


def test_shares_of_a_group_are_of_the_group_and_the_floor_is_of_all(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"max_unavailable: 3, batch: 2, {GROUPS}")
    assert told(plan) == [
        "eqiad/canary1:web1", "eqiad/batch1:web2,web3", "eqiad/batch2:web4 approve",
        "codfw/batch3:web5,web6", "codfw/batch4:web7,web8 300s", "/batch5:web9",
    ]  # fmt: skip
    assert (plan.services[0].total, plan.services[0].floor) == (9, 6)
    assert plan.services[0].notes == ("api: web9 is in no group and is replaced last",)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


def test_a_host_belongs_to_its_first_group(tmp_path: Path) -> None:
    groups = "batch: 9, max_unavailable: 9, groups: [{group: codfw}, {group: web}]"
    plan = plan_of(tmp_path, groups)
    assert told(plan) == [
        "codfw/batch1:web5,web6,web7,web8", "web/batch2:web1,web2,web3,web4,web9",
    ]  # fmt: skip


def test_a_group_that_its_canaries_empty_keeps_its_name(tmp_path: Path) -> None:
    groups = "groups: [{group: eqiad, then: approve}, {group: codfw}]"
    plan = plan_of(tmp_path, f"canary: 4, batch: 4, max_unavailable: 4, {groups}")
    assert told(plan) == [
        "eqiad/canary1:web1", "eqiad/canary2:web2", "eqiad/canary3:web3",
        "eqiad/canary4:web4 approve", "codfw/batch1:web5,web6,web7,web8", "/batch2:web9",
    ]  # fmt: skip
    approval = approval_after(plan.services[0], 3)
    assert approval.why == "api waits for approval: eqiad is done, codfw is next"


def test_canaries_of_several_groups_bear_no_name_of_one(tmp_path: Path) -> None:
    groups = "groups: [{group: eqiad, then: approve}, {group: codfw}]"
    canary = "canary: [web1, web2, web3, web4, web5]"
    plan = plan_of(tmp_path, f"{canary}, batch: 4, max_unavailable: 4, {groups}")
    assert told(plan)[:5] == [
        *(f"/canary{n}:web{n}" for n in (1, 2, 3, 4)),
        "/canary5:web5 approve",
    ]


def test_what_may_be_down_is_told_with_what_is_replaced_at_the_same_time(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "spread: zone, batch: 9, max_unavailable: 9")
    assert "api: none of 9 instances has to keep serving; 2 at once are replaced" in (
        plan.services[0].notes
    )
    plan = plan_of(tmp_path, "batch: 9, max_unavailable: 9")
    assert plan.services[0].notes == ("api: all 9 instances are down at once",)


def test_the_time_counts_pauses_and_no_approval(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"max_unavailable: 3, batch: 2, pause: 1m, {GROUPS}")
    (service,) = plan.services
    # 6 batches of 10 s; 3 pauses of a minute, 5 minutes after codfw, nobody knows after eqiad
    assert schedule.service_seconds(service) == 6 * 10 + 3 * 60 + 300


def test_the_command_line_says_it_for_all_groups(tmp_path: Path) -> None:
    options = PlanOptions(batch="1", canary="web8,web9")
    plan = plan_of(tmp_path, f"max_unavailable: 3, {GROUPS}", options=options)
    assert [len(b.hosts) for b in plan.services[0].batches] == [1] * 9
    assert told(plan)[:3] == ["/canary1:web8", "/canary2:web9", "eqiad/batch1:web1"]
    with pytest.raises(UsageError, match="unknown host or group 'wub1'"):
        plan_of(tmp_path, GROUPS, options=PlanOptions(canary="wub1"))


def test_a_batch_that_is_cut_down_is_told_with_its_group(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "groups: [{group: eqiad, batch: 100%}]")
    assert "api: 4 at once were asked for in eqiad, 1 at once keep the floor" in (
        plan.services[0].notes
    )


@pytest.mark.parametrize(
    ("hosts", "note"),
    [
        ("codfw", "api: no canary goes first: web1, web2 are left alone"),
        ("codfw,web2", "api: canary: web1 is left alone"),
    ],
)
def test_a_canary_that_is_left_alone_is_told(tmp_path: Path, hosts: str, note: str) -> None:
    plan = plan_of(tmp_path, "canary: [web1, web2]", hosts=hosts)
    assert note in plan.services[0].notes


def test_zones(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "spread: zone, batch: 3, max_unavailable: 4")
    assert told(plan) == [
        "/batch1:web1,web5", "/batch2:web2,web6", "/batch3:web3,web7", "/batch4:web4,web8",
        "/batch5:web9",
    ]  # fmt: skip
    assert plan.services[0].notes == (
        "api: never two of one zone at the same time",
        "api: web9 has no zone: it is replaced alone",
    )


def test_going_back_keeps_to_the_zones_and_waits_for_nobody(tmp_path: Path) -> None:
    rollout = f"spread: zone, batch: 3, max_unavailable: 4, {GROUPS}"
    plan = plan_of(tmp_path, rollout)
    kept = {host: {"release": {"name": "old"}} for host in plan.services[0].hosts}
    back = rollback_plan(plan, {"api": kept}, now=0.0, parent="r1")
    (service,) = back.services
    assert sorted(service.hosts) == sorted(plan.services[0].hosts)
    assert not any(batch.approve or batch.wait for batch in service.batches)
    for batch in service.batches:
        zones = [plan.services[0].zones[host] for host in batch.hosts]
        assert len(set(zones)) == len(zones)
    assert max(len(batch.hosts) for batch in service.batches) <= 2


def test_a_plan_without_groups_is_written_as_before(tmp_path: Path) -> None:
    service = to_json(plan_of(tmp_path, "batch: 1"))["services"][0]
    assert not {"zones", "missed"} & service.keys()
    assert all(batch.keys() == {"name", "hosts"} for batch in service["batches"])
