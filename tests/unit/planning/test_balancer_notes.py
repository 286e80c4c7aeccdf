"""What balancers cost their clients is in the plan, and asked of nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gapless.drivers import registry
from gapless.drivers.balancers.base import Capabilities, Evidence, Member, MemberState
from gapless.engine.in_balancers import InBalancer
from gapless.model import Instance
from gapless.planning import Survey, make_plan
from gapless.planning import balancer_notes as costs
from gapless.plans import Verb
from tests.unit.config.shop import loaded

TEXT = """\
project: shop
hosts: {{"web[1:2]": }}
balancers:
  edge: {edge}
services:
  api: {{on: [all], systemd: api.service, balancer: {api}}}
  site: {{on: [all], systemd: site.service, balancer: {site}}}
"""
HAPROXY = "{haproxy: {socket: /run/haproxy/admin.sock, backend: shop}}"
BLIND = "{command: {drain: a, admit: b}, drain_timeout: 45s}"
SEEING = "{command: {drain: a, admit: b, state: c}}"


def notes(
    folder: Path, edge: str, api: str = "edge", site: str = "[]", survey: Survey | None = None
) -> dict[str, tuple[str, ...]]:
    project = loaded(folder, TEXT.format(edge=edge, api=api, site=site))
    plan = make_plan(project, verb=Verb.RESTART, survey=survey)
    return {service.name: service.notes for service in plan.services}


def test_a_counted_drain_costs_nothing(tmp_path: Path) -> None:
    assert notes(tmp_path, HAPROXY) == {"api": (), "site": ()}


def test_a_drain_nobody_can_see_is_told_with_its_length(tmp_path: Path) -> None:
    assert notes(tmp_path, BLIND)["api"] == (
        "edge (command): nothing shows when a drain is over: each lasts 45s, then what is open is"
        " cut",
    )


def test_a_drain_that_is_inferred_is_told_with_what_shows_it(tmp_path: Path) -> None:
    assert notes(tmp_path, SEEING)["api"] == (
        "edge (command): that a drain is over is not counted, but inferred from the word of its"
        " state command, unless that tells a number",
    )


def test_what_two_services_share_is_told_once(tmp_path: Path) -> None:
    both = notes(tmp_path, BLIND, site="edge")
    assert sum(len(told) for told in both.values()) == 1


def test_without_a_balancer_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert notes(tmp_path, BLIND, api="[]") == {"api": (), "site": ()}


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (20.0, "each lasts 20s (its own delay), then"),
        (300.0, "each lasts 45s (drain_timeout; its own delay is 5m), then"),
    ],
)
def test_a_delay_that_the_balancer_told_is_said(tmp_path: Path, delay: float, words: str) -> None:
    (told,) = notes(tmp_path, BLIND, survey=Survey(delays={"edge": delay}))["api"]
    assert words in told


def test_resets_of_keep_alive_connections_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    can = Capabilities(resets_keepalives=True, drain_evidence=Evidence.COUNTED)
    monkeypatch.setattr(costs, "capabilities", lambda name, project: can)
    assert notes(tmp_path, HAPROXY)["api"] == (
        "edge (haproxy): each drain and each admit reloads it, which resets idle keep-alive"
        " connections",
    )


def test_new_connections_that_a_reload_may_lose_are_told(tmp_path: Path) -> None:
    caddy = "{caddy: {proxy: shop, upstream: '{address}:80'}}"
    assert notes(tmp_path, caddy)["api"] == (
        "edge (caddy): each drain and each admit reloads it, which resets idle keep-alive"
        " connections and may lose a few connections that are just being opened",
    )
    nginx = "{nginx: {include: /etc/nginx/shop.conf, upstream: shop, server: '{address}:80'}}"
    assert not any("being opened" in note for note in notes(tmp_path, nginx)["api"])


def test_every_kind_has_a_driver_and_every_driver_a_kind() -> None:
    from gapless.config.balancers import kinds

    assert set(registry.BALANCERS) == set(kinds())


def test_what_one_drain_costs_more_than_others_is_told_of_that_instance(tmp_path: Path) -> None:
    project = loaded(tmp_path, TEXT.format(edge=HAPROXY, api="edge", site="[]"))
    costly = Member("web1", "x", MemberState.UP, caution="its container has no cord yet")
    standing = {
        one: (InBalancer("edge", one, (member,)),)
        for one, member in (
            (Instance("api", "web1"), costly),
            (Instance("api", "web2"), replace(costly, caution="")),
        )
    }
    plan = make_plan(project, verb=Verb.RESTART, survey=Survey(traffic=standing))
    (service,) = (service for service in plan.services if service.name == "api")
    assert [note for note in service.notes if "cord" in note] == [
        "api: web1 in edge: its container has no cord yet"
    ]
