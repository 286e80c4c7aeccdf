"""What a plan says of the evidence of a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.planning import PlanOptions, make_plan
from gapless.plans import Verb
from tests.unit.config.shop import loaded

ONE = """\
project: shop
hosts: {{web1: {{}}, web2: {{}}}}
balancers: {{edge: {{haproxy: {{socket: /run/haproxy.sock, backend: shop}}}}}}
services:
  api:
    on: [web1, web2]
    systemd: api
    balancer: edge
    soak: 1m
{more}
"""
ASKED = "endpoints: ['http://localhost/a', 'http://localhost/b']"


def notes(folder: Path, *lines: str, force: str = "") -> tuple[str, ...]:
    text = ONE.format(more="\n".join(f"    {line}" for line in lines))
    plan = make_plan(loaded(folder, text), verb=Verb.RESTART, options=PlanOptions(force=force))
    return plan.services[0].notes


def test_what_is_asked_and_watched_is_one_sentence(tmp_path: Path) -> None:
    warm = "warm: {http: 'http://localhost/', times: 20}"
    verify = f"verify: [{{{ASKED}}}, {{logs: {{}}}}, {{balancer_errors: {{}}}}]"
    assert notes(tmp_path, warm, verify) == (
        "api: warms with 20 requests; asks 2 endpoints; watches logs and balancer errors for 1 min,"
        " with too little data up to 6 min; then it waits for you",
    )


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        (
            "on_insufficient: fail",
            ", with too little data up to 6 min; then the instance goes back",
        ),
        ("extend: 0s", "; with too little data it waits for you"),
        ("extend: 30s, on_insufficient: pass", " up to 1 min 30 s; then it goes on as if all were"),
    ],
)
def test_too_little_data(tmp_path: Path, judge: str, told: str) -> None:
    (note,) = notes(tmp_path, f"verify: {{logs: {{{judge}}}}}")
    assert note.startswith("api: watches logs for 1 min")
    assert told in note


def test_rates_that_differ_are_named(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "verify: [{logs: {on_insufficient: fail}}, {balancer_errors: {}}]")
    assert note.endswith(
        "then the instance goes back (logs) and it waits for you (balancer errors)"
    )


def test_what_asks_nothing_says_nothing(tmp_path: Path) -> None:
    assert notes(tmp_path, "health: {http: 'http://localhost/'}") == ()
    assert notes(tmp_path, "verify: {logs: {}}", force="it is known") == (
        "api: health gates are skipped: it is known",
    )


def test_what_is_forced_is_warmed_and_asked_all_the_same(tmp_path: Path) -> None:
    warm = "warm: {http: 'http://localhost/', times: 20}"
    verify = f"verify: [{{{ASKED}}}, {{logs: {{}}}}]"
    assert notes(tmp_path, warm, verify, force="it is known") == (
        "api: health gates are skipped: it is known",
        "api: warms with 20 requests; asks 2 endpoints",
    )
