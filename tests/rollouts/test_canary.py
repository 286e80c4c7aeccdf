"""A new copy that gets its shares of the traffic from a real HAProxy: how many requests each share
really is, and how soon nobody is sent to a copy that errs or that is not wanted any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from demo.shop import build_release
from tests.lab import Lab, LabHost
from tests.lab.load import Load, Report
from tests.rollouts.site import Site, kill
from tests.rollouts.test_start_first import CONFIG, HOME, PORTS, SLOTS, copies, lasting
from tests.rollouts.test_start_first import _install as install

ROLLOUT = """\
    rollout: {{strategy: canary, shift: [{shares}], hold: {hold}}}
    verify: {{balancer_errors: {then}}}
"""
QUICK = "{interval: 500ms, on_insufficient: pass, extend: 1s}"
AT_ONCE = 1.0
"""Seconds in which a decision has to have all new requests on the old copy."""


@pytest.fixture
def site(tmp_path: Path, lab: Lab, host: LabHost) -> Iterator[Site]:
    """Version 1 in slot a, HAProxy that knows both slots, both of weight 1."""
    install(host, build_release(tmp_path / "first", {"VERSION": "1"}))
    proxy = lab.haproxy({f"{host.name}-{s}": f"{host.address}:{PORTS[s]}" for s in SLOTS})
    proxy.start()
    proxy.wait_up(f"{host.name}-a")
    text = CONFIG.format(
        name=host.name, address=host.address, port=host.port, key=lab.keys.client,
        known=lab.keys.known_hosts, socket=proxy.socket, home=HOME,
    )  # fmt: skip
    (tmp_path / "gapless.yaml").write_text(text)
    made = Site(tmp_path, [host], proxy)
    made.new_release(VERSION="1")
    yield made
    proxy.stop()


def shifting(site: Site, *shares: str, hold: str, then: str = QUICK) -> None:
    """Have the new copy get these shares, and be judged so."""
    file = site.folder / "gapless.yaml"
    more = ROLLOUT.format(shares=", ".join(shares), hold=hold, then=then)
    file.write_text(file.read_text() + more)


def weights(site: Site) -> list[int]:
    """Of both servers, as HAProxy says."""
    stats = site.proxy.stats()
    return [int(stats[f"{site.hosts[0].name}-{slot}"]["weight"]) for slot in SLOTS]


def moments(site: Site, kind: str, step: str = "") -> list[tuple[float, dict[str, Any]]]:
    """When events of a kind happened, by the clock of the load, and what they said."""
    ahead = time.time() - time.monotonic()
    found = [e for e in site.events() if e["type"] == kind and step in (e.get("step", ""), "")]
    return [(_seconds(event["ts"]) - ahead, event.get("data", {})) for event in found]


def _seconds(ts: str) -> float:
    return datetime.fromisoformat(ts.replace("Z", "+00:00")).timestamp()


def share_of(report: Report, version: str) -> float:
    """Which part of the answers came from a version."""
    return report.versions.get(version, 0) / max(1, sum(report.versions.values()))


@pytest.mark.alone
def test_each_share_is_what_was_asked_for_and_nothing_is_lost(site: Site) -> None:
    shifting(site, "5%", "25%", "60%", hold="4s")
    site.new_release(VERSION="2")
    with Load(site.proxy.url, rate=100, keep_alive=False) as load:
        site.run("deploy", "--yes", check=0)
    assert load.report.failed == 0, load.report.errors
    assert list(copies(site)) == lasting(site) == ["b"]
    assert weights(site) == [1, 1]
    given, held = moments(site, "shift.confirmed"), moments(site, "shift.held")
    assert [data["share"] for _, data in given] == [0.05, 0.25, 0.6]
    for (begun, data), (ended, _) in zip(given, held, strict=True):
        part = share_of(load.report.between(begun + 0.1, ended), "2")
        assert part == pytest.approx(data["share"], rel=0.15), data
    last = load.report.between(moments(site, "drain.confirmed")[-1][0] + 0.2, load.report.ended)
    assert share_of(last, "2") == 1.0


@pytest.mark.alone
def test_a_copy_that_errs_is_judged_beside_the_old_one_and_gets_nothing_more(site: Site) -> None:
    before = copies(site)
    shifting(site, "20%", "50%", hold="20s")
    site.new_release(VERSION="2", ERRORS="0.2")
    with Load(site.proxy.url, rate=100, keep_alive=False) as load:
        done = site.run("deploy", "--yes", check=4)
    assert copies(site) == before and lasting(site) == ["a"]
    assert weights(site) == [1, 1]
    assert "balancer errors of copy b" in done.stdout + done.stderr
    (decided, _), *_ = moments(site, "check.failed", "shift")
    assert share_of(load.report.between(decided - 2, decided), "2") > 0.1
    _all_on_the_old(load.report, decided)
    assert load.report.failed <= 0.05 * load.report.sent  # a fifth of a fifth, for some seconds


@pytest.mark.parametrize("killed", [False, True], ids=["by itself", "killed at its last share"])
def test_the_only_instance_ends_by_what_its_shares_showed(site: Site, killed: bool) -> None:
    """Afterwards nothing is left to compare it with, and nobody is asked about that. HAProxy has no
    history: what was counted at a share is in the journal."""
    shifting(site, "20%", "50%", hold="6s", then="{interval: 500ms, extend: 2s}")
    site.new_release(VERSION="2")
    with Load(site.proxy.url, rate=100, keep_alive=False) as load:
        if killed:
            process = site.start("deploy", "--yes")
            site.wait_for_new("shift.held")
            site.wait_for_new("shift.confirmed", count=2)
            kill(process)
            site.run("resume", check=0)
        else:
            site.run("deploy", "--yes", check=0)
    assert load.report.failed == 0, load.report.errors
    assert list(copies(site)) == lasting(site) == ["b"]
    assert weights(site) == [1, 1]
    (judged,) = [
        data["verdict"]
        for _, data in moments(site, "check.passed", "verify")
        if data["verdict"]["check"] == "balancer errors"
    ]
    assert judged["status"] == "PASS"


@pytest.mark.alone
def test_an_abort_in_the_middle_of_a_share_is_heard_at_once(site: Site) -> None:
    before = copies(site)
    shifting(site, "50%", hold="5m")
    site.new_release(VERSION="2")
    with Load(site.proxy.url, rate=100, keep_alive=False) as load:
        process = site.start("deploy", "--yes")
        site.wait_for_new("shift.confirmed")
        site.run("abort", "--reason", "not today")
        assert process.wait(40) == 4
    assert load.report.failed == 0, load.report.errors
    assert copies(site) == before and lasting(site) == ["a"]
    assert weights(site) == [1, 1]
    (decided, _), *_ = moments(site, "abort.requested")
    _all_on_the_old(load.report, decided)


@pytest.mark.parametrize("verb", ["resume", "abort"])
def test_a_controller_killed_at_a_share_leaves_the_weights_of_before(site: Site, verb: str) -> None:
    shifting(site, "10%", "30%", hold="1s")
    site.new_release(VERSION="2")
    process = site.start("deploy", "--yes")
    site.wait_for_new("shift.confirmed")
    kill(process)
    assert weights(site) != [1, 1]
    site.run(verb, check=0 if verb == "resume" else 4)
    assert weights(site) == [1, 1]
    assert list(copies(site)) == lasting(site) == (["b"] if verb == "resume" else ["a"])


def _all_on_the_old(report: Report, decided: float) -> None:
    """Whatever was sent a second later was answered by version 1, and well."""
    new = [one.at for one in report.outcomes if '"version": "1"' not in one.body]
    late = max(new, default=decided) - decided
    print(f"all new requests on the old copy {late:.3f} s after the decision")
    assert late <= AT_ONCE
