"""Copies of earlier rollouts: the newest stay, those still needed stay, and pruning never fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gapless.engine.journal import RolloutState
from gapless.engine.old_snapshots import KEEP
from gapless.errors import HostFault
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.faults import Fault, What
from gapless.testing.virtual_time import run_virtual
from tests.simulation.assembly import SimRelease
from tests.unit.docs.seed_site import SeedSite

ROOT = "/var/lib/gapless/snapshots/seed/api"


def kept(site: SeedSite) -> list[str]:
    return site.host("web1").files.children(ROOT)


def ids(site: SeedSite) -> list[str]:
    """Rollouts, oldest first."""
    return [record.id for record in site.journal.rollouts()][::-1]


async def restarts(site: SeedSite, times: int) -> None:
    for _ in range(times):
        assert (await site.restart()).exit_code == 0
        await asyncio.sleep(1)


def test_the_newest_snapshots_of_a_service_stay() -> None:
    site = SeedSite()
    run_virtual(restarts(site, KEEP + 3))
    assert kept(site) == sorted(ids(site)[-KEEP:])
    commits = [e for e in site.events if e.type == "step.succeeded" and e.step == "commit"]
    assert commits[-1].data["snapshots_pruned"] == [ids(site)[-KEEP - 1]]


def test_other_services_are_not_pruned() -> None:
    site = SeedSite()
    files = site.host("web1").files
    for number in range(KEEP + 3):
        files.mkdir(f"/var/lib/gapless/snapshots/seed/db/r{number}")
    run_virtual(restarts(site, KEEP + 1))
    assert len(files.children("/var/lib/gapless/snapshots/seed/db")) == KEEP + 3


def test_the_rollout_that_rollback_would_take_back_stays() -> None:
    """Failed deploys after it push it out of the newest; ``gapless rollback`` still means it."""

    async def story(site: SeedSite) -> None:
        assert (await site.deploy("v2")).exit_code == 0
        for name in ("web1", "web2"):
            site.unit(name).behaviours["v3"] = NEVER_READY
        for _ in range(KEEP):
            await asyncio.sleep(1)
            assert (await site.deploy("v3")).exit_code == 4
        await asyncio.sleep(1)
        assert (await site.restart()).exit_code == 0

    site = SeedSite()
    run_virtual(story(site))
    assert ids(site)[0] in kept(site)
    assert len(kept(site)) == KEEP + 1


def test_a_rollout_that_is_not_over_keeps_its_snapshots() -> None:
    async def story(site: SeedSite) -> None:
        await restarts(site, 1)
        open_ = ids(site)[0]
        record, _ = site.journal.load(open_)
        site.journal.close_rollout(
            open_, RolloutState.PAUSED, "paused", 7, site.events[-1].numbered(0)
        )
        assert record.id in kept(site)
        site.journal.rollouts = lambda limit=50, *, unfinished=False: [  # type: ignore[method-assign]
            record for record in everything(limit) if not unfinished or record.id == open_
        ]
        await restarts(site, KEEP + 2)

    site = SeedSite()
    everything = site.journal.rollouts
    run_virtual(story(site))
    first = everything()[-1].id
    assert first in kept(site)
    assert len(kept(site)) == KEEP + 1


def test_a_prune_that_fails_is_told_and_fails_nothing() -> None:
    site = SeedSite()
    fault = site.world.faults.add(
        Fault(What.EXIT, host="web1", verb="run", about=f"rm -rf -- {ROOT}/")
    )
    run_virtual(restarts(site, KEEP + 1))
    assert fault.struck
    told = [event for event in site.events if event.type == "step.skipped"]
    assert [(event.host, event.step) for event in told] == [("web1", "prune")]
    assert "older snapshots were left" in told[0].data["why"]
    assert len(kept(site)) == KEEP + 1


def test_a_connection_lost_while_pruning_fails_nothing() -> None:
    site = SeedSite()
    fault = site.world.faults.add(
        Fault(What.LOST, host="web1", verb="run", about=f"ls -1t -- {ROOT}")
    )
    run_virtual(restarts(site, 2))
    assert fault.struck


def test_old_releases_that_cannot_be_removed_are_told_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was remembered as last good by then, and older snapshots still go."""

    async def prune(*args: Any) -> tuple[str, ...]:
        raise HostFault("the folder is busy")

    async def story(site: SeedSite) -> None:
        await restarts(site, KEEP + 1)
        assert (await site.deploy("v2")).exit_code == 0

    monkeypatch.setattr(SimRelease, "prune", prune)
    site = SeedSite()
    run_virtual(story(site))
    told = {event.data["why"] for event in site.events if event.type == "step.skipped"}
    assert told == {"older releases were left: the folder is busy"}
    assert site.host("web1").memory["seed.api"]["last_good"]["release"]["name"] == "v2"
    assert len(kept(site)) == KEEP
