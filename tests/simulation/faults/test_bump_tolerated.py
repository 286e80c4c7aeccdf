"""Failures that ``max_failed`` allows, of a release whose schema lets nobody back unbumped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS, Behaviour
from gapless.testing.world import World
from tests.simulation.faults.shop import HOSTS, Shop
from tests.simulation.faults.test_schema_at_start import BOTH, Cassandra, risen
from tests.simulation.killing import ControllerKilled

TOLERANT = "canary: 1, batch: 1, max_failed: 1, max_unavailable: 2"
PROMISE = "an instance that fails once it was switched stops it, whatever max_failed says"


@pytest.fixture
def tolerant(shop: Shop) -> Shop:
    """One failed host does not stop a deploy."""
    shop.edit("canary: 1, batch: 1", TOLERANT)
    shop.world._hooks.clear()
    return shop


def strict(shop: Shop) -> tuple[Cassandra, str, str]:
    """Data that refuses lower versions: what was bumped raises it where it starts, and nothing of
    the new release starts any more. The old and the new release."""
    data, old = risen(shop, BOTH, Behaviour())
    new = shop.release("2")

    def refuse(world: World) -> None:
        lifted = [host for host in data.bumped if shop.unit(host).version == old]
        if lifted and data.version >= 2:
            data.version = 3
            for host in HOSTS:
                shop.unit(host).behaviours[new] = NEVER_STARTS

    shop.world.on_change(refuse)
    return data, old, new


def test_what_was_switched_and_goes_back_stops_it(tolerant: Shop) -> None:
    """All are on the old release again, and all on one version."""
    shop = tolerant
    data, old, new = strict(shop)
    shop.unit("web2").behaviours[new] = NEVER_READY
    assert PROMISE in shop.gapless("plan", "deploy", code=0).text
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "the old release on web2 is bumped above the new one" in ended.text
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


@pytest.mark.parametrize("when", ["undo-soak", "outcome"])
def test_a_controller_that_goes_on_knows_it(tolerant: Shop, when: str) -> None:
    shop = tolerant
    data, old, new = strict(shop)
    shop.unit("web2").behaviours[new] = NEVER_READY
    shop.world.history.clear()
    _kill_after(shop, f"/web2/api/{when}")
    shop.killed("deploy", "--yes")
    shop.rest()
    shop.gapless("resume", code=4)
    assert "web3 restart" not in shop.changed(), "nothing new was begun there"
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


def _kill_after(shop: Shop, key: str) -> None:
    """The controller dies when a step is over and recorded."""
    finish: Callable[..., object] = SqliteJournal.finish

    def mortal(journal: SqliteJournal, rollout: str, step: str, *more: object) -> object:
        told = finish(journal, rollout, step, *more)
        if step.endswith(key):
            shop.kill()
            raise ControllerKilled
        return told

    shop.patch.setattr(SqliteJournal, "finish", mortal)


def test_what_failed_before_its_switch_is_tolerated_and_not_bumped(tolerant: Shop) -> None:
    shop = tolerant
    data, old, new = strict(shop)
    shop.host("web2").files.full = True
    shop.gapless("deploy", "--yes", code=5)
    assert shop.live() == [new, old, new]
    assert data.bumped == {}
    assert data.version == 2


def test_a_host_that_was_away_is_tolerated_and_caught_up(tolerant: Shop) -> None:
    shop = tolerant
    data, _, new = strict(shop)
    shop.host("web3").cut(1e9)
    shop.gapless("deploy", "--yes", code=5)
    assert data.bumped == {}
    shop.host("web3").unreachable_until = 0.0
    shop.gapless("catch-up", "--yes", code=0)
    assert data.bumped == {}
    shop.all_serve(new)


def test_who_lives_with_the_new_schema_is_tolerated(tolerant: Shop) -> None:
    """The old release reads both: nothing is bumped, and the rest goes on."""
    shop = tolerant
    data, old = risen(shop, f"{BOTH}, reads: [1, 2]", Behaviour())
    new = shop.release("2")
    shop.unit("web2").behaviours[new] = NEVER_READY
    assert PROMISE not in shop.gapless("plan", "deploy", code=0).text
    shop.gapless("deploy", "--yes", code=5)
    assert shop.live() == [new, old, new]
    assert data.bumped == {}


@pytest.mark.parametrize("policy", ["stop", "pause"])
def test_nothing_more_of_the_new_one_is_begun(tolerant: Shop, policy: str) -> None:
    shop = tolerant
    shop.edit("max_failed: 1", f"max_failed: 1, on_failure: {policy}")
    data, old, new = strict(shop)
    shop.unit("web2").behaviours[new] = NEVER_READY
    shop.gapless("deploy", "--yes", code=5 if policy == "stop" else 7)
    assert shop.live() == [new, old, old]
    assert data.bumped == {"web2": 3}
    words = ("abort",) if policy == "pause" else ("rollback", "--yes")
    shop.gapless(*words, code=4 if policy == "pause" else 0)
    assert data.bumped["web1"] == 3
    assert shop.live() == [old] * 3
