"""A deploy with nothing to bring still says who gets no traffic, and how that ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gapless.drivers.balancers.base import Member, MemberState
from gapless.engine.in_balancers import InBalancer
from gapless.errors import TrafficError
from gapless.model import Instance, InstanceState, Observation
from gapless.planning import Seen, make_plan
from gapless.plans import Plan, Verb, from_json, to_json
from gapless.render.plan import render_plan
from gapless.render.result import render_report
from gapless.report.summarize import summarize
from tests.unit.config.shop import loaded

from .test_make import TARGETS, V42, WEB, seen, survey_of


def deployed(folder: Path, *standing: InBalancer, changed: Seen | None = None) -> Plan:
    """Everything is there already; web1 stands so in its balancers."""
    every = {host[:4]: seen(V42) for host in WEB}
    if changed is not None:
        every["web1"] = changed
    survey = replace(survey_of(**every), traffic={Instance("shop.api", WEB[0]): standing})
    return make_plan(
        loaded(folder), verb=Verb.DEPLOY, services=["shop.api"], targets=TARGETS, survey=survey
    )


def standing(state: MemberState, *, joins: bool = False) -> InBalancer:
    members = (Member("lb1", "api-web1", state),)
    return InBalancer("edge", Instance("shop.api", WEB[0]), members, joins=joins)


ADMIT, DOCTOR = f"gapless admit shop.api@{WEB[0]}", f"gapless doctor --hosts {WEB[0]}"


@pytest.mark.parametrize(
    ("how", "why", "command"),
    [
        (standing(MemberState.MISSING, joins=True), "edge has no member for it", ADMIT),
        (standing(MemberState.MISSING), "edge has no member for it", DOCTOR),
        (standing(MemberState.DRAINED), "it is out of edge", ADMIT),
        (standing(MemberState.DOWN), "edge reports it down", DOCTOR),
    ],
)
def test_one_without_traffic_is_not_where_it_should_be(
    tmp_path: Path, how: InBalancer, why: str, command: str
) -> None:
    plan = deployed(tmp_path, how)
    assert not plan.services
    for screen in (render_plan(plan, width=200), render_report(summarize(plan, ()), width=200)):
        assert f"already on v42, but gets no traffic: {why}" in screen
        assert command in screen
        assert "not every instance is where it should be" in screen
    assert from_json(to_json(plan)).untouched == plan.untouched


def test_whoever_drained_it_is_named(tmp_path: Path) -> None:
    drained = Seen(
        Observation(InstanceState.RUNNING, "id"), "f0", V42, by_hand="by alice, new disk"
    )
    plan = deployed(tmp_path, standing(MemberState.DRAINED), changed=drained)
    assert "drained by hand (by alice, new disk)" in render_plan(plan, width=200)


def test_a_balancer_that_does_not_answer_is_told(tmp_path: Path) -> None:
    silent = InBalancer("edge", Instance("shop.api", WEB[0]), silence=TrafficError("no answer"))
    assert "edge cannot be asked: no answer" in render_plan(deployed(tmp_path, silent), width=200)


@pytest.mark.parametrize("how", [(), (standing(MemberState.UP),), (standing(MemberState.UNKNOWN),)])
def test_where_nothing_is_wrong_nothing_is_said(
    tmp_path: Path, how: tuple[InBalancer, ...]
) -> None:
    plan = deployed(tmp_path, *how)
    assert "every instance is where it should be." in render_plan(plan)
    assert "not every" not in render_plan(plan)
    assert not any(left.next for left in plan.untouched)


def test_a_container_of_no_instance_is_told(tmp_path: Path) -> None:
    now = Observation(InstanceState.RUNNING, "id", detail={"besides": "shop-web-3"})
    plan = deployed(tmp_path, changed=Seen(now, "f0", V42))
    assert "there is shop-web-3 besides it" in render_plan(plan, width=200)
