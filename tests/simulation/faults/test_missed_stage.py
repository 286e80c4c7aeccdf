"""A host that missed a stage never gets the next one, whatever batch and group sizes are."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.virtual_time import run_virtual
from tests.simulation.assembly import SimRelease
from tests.simulation.faults.goes import Goes, ended, service

TEN = " ".join(f"h{number}" for number in range(1, 11))


def no_fetch(monkeypatch: pytest.MonkeyPatch, hosts: set[str]) -> None:
    """The release cannot be fetched on these hosts."""
    stage = SimRelease.stage

    async def fetch(release: SimRelease, transport: Transport, ref: ReleaseRef) -> int:
        if transport.host in hosts:
            raise ActionFailed("cannot fetch: the git server is gone", where=transport.host)
        return await stage(release, transport, ref)

    monkeypatch.setattr(SimRelease, "stage", fetch)


def without_next_stage(goes: Goes, missed: set[str]) -> None:
    """Nothing after the stage was done on them, and each host that was switched had it."""
    steps = goes.journal.steps(goes.rollout)
    for key, step in steps.items():
        _, host, _, kind = key.split("/")
        if kind in ("drain", "switch", "ready", "admit", "soak", "commit"):
            assert host not in missed, key
            staged = steps[f"{key.rpartition('/')[0]}/stage"]
            assert staged.good
            assert staged.ended <= step.begun
    touched = {deed.host for deed in goes.world.deeds("restart", "stop", "start", "drain")}
    assert not touched & missed


@pytest.mark.parametrize("max_failed", [0, 1])
def test_one_fetch_of_ten_fails(monkeypatch: pytest.MonkeyPatch, max_failed: int) -> None:
    async def course() -> None:
        no_fetch(monkeypatch, {"h4"})
        goes = Goes(service("s0", TEN, batch=2, out=3, max_failed=max_failed))
        assert ended(await goes.go()) == (("mixed", 5) if max_failed else ("restored", 4))
        without_next_stage(goes, {"h4"})
        new = {f"h{n}": "v2" for n in range(1, 11)} if max_failed else {}
        versions = {unit.host.name: unit.version for unit in goes.world.units("s0")}
        assert versions == {**{f"h{n}": "v1" for n in range(1, 11)}, **new, "h4": "v1"}
        if not max_failed:
            restarted = {deed.host for deed in goes.world.deeds("restart")}
            assert restarted == {"h1", "h2", "h3"}, "no batch after the one that failed"

    run_virtual(course())


def test_a_whole_batch_that_fails_stops_it_whatever_max_failed_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def course() -> None:
        no_fetch(monkeypatch, {"h3", "h4"})
        goes = Goes(service("s0", TEN, batch=2, out=3, max_failed=5))
        assert ended(await goes.go()) == ("restored", 4)
        assert {deed.host for deed in goes.world.deeds("restart")} == {"h1", "h2"}
        assert goes.versions("s0") == ["v1"] * 10

    run_virtual(course())


def test_a_batch_of_hosts_that_were_away_says_nothing_about_the_release() -> None:
    async def course() -> None:
        goes = Goes(service("s0", TEN, batch=2, out=4, max_failed=2))
        for host in ("h3", "h4"):
            goes.world.host(host).cut(1e9)
        assert ended(await goes.go()) == ("mixed", 5)
        versions = {unit.host.name: unit.version for unit in goes.world.units("s0")}
        away = {"h3": "v1", "h4": "v1"}
        assert versions == {**{f"h{n}": "v2" for n in range(1, 11)}, **away}

    run_virtual(course())


def test_hosts_that_were_away_count_before_their_turn_comes() -> None:
    """One failure is allowed and one host is away: the first failure is one too many."""

    async def course() -> None:
        goes = Goes(service("s0", TEN, out=3, max_failed=1, bad={"h1": NEVER_READY}))
        goes.world.host("h10").cut(1e9)
        await goes.go()
        assert {deed.host for deed in goes.world.deeds("restart")} == {"h1"}

    run_virtual(course())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_the_sizes_are(data: st.DataObject) -> None:
    """Any number of hosts, batches, groups, canaries and zones; any fetches fail."""
    total = data.draw(st.integers(2, 9))
    hosts = [f"h{n}" for n in range(1, total + 1)]
    missed = set(data.draw(st.lists(st.sampled_from(hosts), unique=True)))
    grouped = data.draw(st.lists(st.sampled_from(hosts), unique=True, max_size=4))
    zones = {host: data.draw(st.sampled_from("abc")) for host in hosts}
    groups = [
        {"group": host, "then": data.draw(st.sampled_from(["0", "30s"]))} for host in grouped
    ]  # fmt: skip
    out = data.draw(st.integers(1, total))
    order = {
        "groups": groups,
        "canary": data.draw(st.integers(0, 2)),
        "spread": data.draw(st.sampled_from(["none", "zone"])),
    }
    goes = Goes(
        service(
            "s0", " ".join(hosts), batch=data.draw(st.integers(1, out)), out=out,
            max_failed=data.draw(st.integers(0, 3)), order=order,
            on_failure=data.draw(st.sampled_from(["rollback", "stop"])),
        ),
        zones=zones,
    )  # fmt: skip

    async def course() -> None:
        with pytest.MonkeyPatch.context() as patch:
            no_fetch(patch, missed)
            await goes.go()

    run_virtual(course())
    without_next_stage(goes, missed)
    assert not goes.world.breaches
    if order["spread"] == "zone":
        _never_two_of_a_zone(goes, zones)


def _never_two_of_a_zone(goes: Goes, zones: dict[str, str]) -> None:
    """From the intent of the first step of a host to its last word no other of its zone is at
    work."""
    work: set[str] = set()
    for event in goes.journal.events(goes.rollout):
        if event.type == "step.started":
            work.add(event.host)
            busy = [zones[host] for host in work]
            assert len(busy) == len(set(busy)), (event.host, work)
        elif event.type in ("instance.done", "instance.failed"):
            work.discard(event.host)
