"""A host that is lost and comes back: what it left is named, taken back, and locks nobody out."""

from __future__ import annotations

import pytest

from gapless.drivers.transports.base import Claim
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import HOSTS, Shop

FOREVER = 1e6


def lose(shop: Shop, host: str, step: str = "soak") -> str:
    """Deploy, and lose a host in the middle; the release before."""
    old = shop.live()[0]
    shop.release("2")
    shop.at(f"{host}/api/{step}", lambda: shop.host(host).cut(FOREVER))
    shop.gapless("deploy", "--yes", code=5)
    return old


def last_deploy(shop: Shop) -> str:
    return next(r.id for r in shop.journal().rollouts() if r.verb == "deploy" and not r.parent)


def back_again(shop: Shop, host: str) -> None:
    shop.host(host).unreachable_until = 0.0
    shop.rest()


def holder(shop: Shop, host: str) -> Claim | None:
    return shop.host(host).claims.holder("shop.api").holder


def test_rollback_takes_back_what_was_switched_and_not_restored(shop: Shop) -> None:
    old = lose(shop, "web2")
    new = shop.live()[0]
    back_again(shop, "web2")
    assert shop.live() == [new, new, old], "web1 was refused by the floor, web2 was lost"
    shop.gapless("rollback", "--yes", code=0)
    shop.all_serve(old)
    assert [f"{d.host}" for d in shop.world.deeds("stop")] == ["web2", "web1"], "the broken first"


def test_a_rollback_that_loses_the_host_again_is_mixed_and_the_next_takes_the_rest(
    shop: Shop,
) -> None:
    old = lose(shop, "web2")
    back_again(shop, "web2")
    shop.at("web2/api/ready", lambda: shop.host("web2").cut(FOREVER))
    ended = shop.gapless("rollback", "api", "--yes", code=5)
    assert "web2" in ended.text
    assert "manual $ sudo systemctl stop api.service" in ended.text
    back_again(shop, "web2")
    shop.gapless("rollback", "api", "--yes", code=0)
    shop.all_serve(old)
    again = shop.gapless("rollback", "api", "--yes", code=2)
    assert "left nothing to take back" in again.text
    assert "took it back" in again.text


def test_refused_by_the_floor_is_not_called_broken(shop: Shop) -> None:
    shop.release("2")
    shop.at("web2/api/soak", lambda: shop.host("web2").cut(FOREVER))
    ended = shop.gapless("deploy", "--yes", code=5)
    new = shop.live()[0]
    assert f"{new} (new release, way back refused by the floor): web1" in ended.text
    assert "unknown: web2" in ended.text
    assert "sudo systemctl stop api.service" in ended.text


def test_a_way_back_that_was_not_begun_says_why(shop: Shop) -> None:
    shop.release("2")
    shop.at("web3/api/soak", lambda: shop.host("web3").cut(FOREVER))
    ended = shop.gapless("deploy", "--yes", code=5)
    new = shop.live()[0]
    assert "unknown why" not in ended.text
    assert "api on web2: the way back failed: it was not begun, because" in ended.text
    assert "it: web1: taking web1 out would leave 1 of 3 instances of api" in ended.text
    assert f"{new} (new release, way back refused by the floor): web1" in ended.text
    assert f"{new} (new release, way back not begun): web2" in ended.text


def test_the_next_commands_of_a_lost_host_work(shop: Shop) -> None:
    shop.release("2")
    shop.at("web2/api/soak", lambda: shop.host("web2").cut(FOREVER))
    ended = shop.gapless("deploy", "--yes", code=5)
    rollout = last_deploy(shop)
    assert "gapless resume" not in ended.text
    ending = [e for e in shop.journal().events(rollout) if e.type == "rollout.failed"][-1]
    told = f"gapless status api; then gapless rollback {rollout} or gapless deploy api"
    assert ending.data["next"] == told
    back_again(shop, "web2")
    shop.gapless("rollback", rollout, "--yes", code=0)


def test_a_lock_that_an_ended_rollout_left_is_shown_and_taken_over(shop: Shop) -> None:
    lose(shop, "web2")
    left = last_deploy(shop)
    shown = shop.gapless("lock", code=0)
    assert f"{left} left on web2" in shown.text
    back_again(shop, "web2")
    held = holder(shop, "web2")
    assert held is not None
    assert held.rollout == left
    shop.gapless("restart", "api", "--yes", code=0)
    taken = shop.events("lock.taken_over")
    assert [(e.host, e.data["rollout"]) for e in taken] == [("web2", left)]
    assert [holder(shop, host) for host in HOSTS] == [None] * 3
    assert "Nothing is locked." in shop.gapless("lock", code=0).text


@pytest.mark.parametrize("owner", ["of somebody else's journal", "interrupted"])
def test_a_lock_that_is_not_known_to_be_over_is_not_taken_over(shop: Shop, owner: str) -> None:
    before = shop.live()
    if owner == "interrupted":
        shop.kill_at("web2/api/soak")
        shop.killed("restart", "--yes")
        shop.journal().break_lock("api", shop.events()[-1])  # only the hosts know it now
    else:
        transport = shop.world.transport("web2")
        claim = Claim("shop.api", "rzzz-0000", "bob", "laptop", 1, 0.0, "hotfix")
        shop.do(transport.connect())
        shop.do(transport.claim(claim))
    ended = shop.gapless("restart", "api", "--yes", code=6)
    assert "locked" in ended.text
    assert shop.events("lock.taken_over") == []
    assert shop.live() == before


def test_rollback_of_a_service_passes_over_restarts(shop: Shop) -> None:
    old = shop.live()[0]
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.gapless("restart", "api", "--hosts", "web1", "--yes", code=0)
    shop.gapless("rollback", "api", "--yes", code=0)
    shop.all_serve(old)


def test_a_rollback_takes_back_what_is_sick(shop: Shop) -> None:
    """The way back is for what does not serve: no health check stands before it."""
    old = shop.live()[0]
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    for host in HOSTS:
        shop.unit(host).behaviours[new] = NEVER_READY
        shop.unit(host).healthy = False
    shop.gapless("rollback", "--yes", code=0)
    assert shop.live() == [old] * 3
    assert shop.serving() == list(HOSTS)


def test_a_rollback_that_stops_half_way_is_not_restored(shop: Shop) -> None:
    """Two versions serve: exit code 5."""
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.at("web1/api/commit", lambda: shop.host("web3").cut(FOREVER))
    shop.gapless("rollback", "--yes", code=5)
    assert shop.last().outcome == "mixed"
    assert len(set(shop.live())) == 2


def test_an_abort_names_what_it_cannot_reach_and_what_was_begun(shop: Shop) -> None:
    """An earlier controller drained and switched it: that is not "nothing was done"."""
    shop.release("2")
    shop.kill_at("web2/api/ready")
    shop.killed("deploy", "--yes")
    shop.host("web2").cut(FOREVER)
    ended = shop.gapless("abort", code=5)
    assert "unknown: web2" in ended.text
    assert "sudo systemctl stop api.service" in ended.text
    assert "api on web2 is left out of edge" in ended.text


def test_a_resume_waits_for_a_host_that_had_begun(shop: Shop) -> None:
    new = shop.release("2")
    shop.kill_at("web2/api/ready")
    shop.killed("deploy", "--yes")
    shop.host("web2").unreachable_until = shop.loop.time() + 30.0
    shop.gapless("resume", code=0)
    assert [e.host for e in shop.events("contact.back")] == ["web2"]
    shop.all_serve(new)


def test_restored_is_not_said_while_an_untouched_instance_is_down(shop: Shop) -> None:
    """It was fit when the rollout began, and nobody touched it since."""
    old = shop.live()[0]
    shop.bad_release(NEVER_READY)

    def reboot() -> None:
        shop.unit("web3").healthy = False

    shop.at("web1/api/switch", reboot)
    ended = shop.gapless("deploy", "--yes", code=5)
    assert shop.last().outcome == "mixed"
    assert "does not serve: web3" in ended.text
    assert "api on web3: http: 503" in ended.text
    assert shop.live() == [old] * 3


@pytest.mark.parametrize("between", ["a refused rollout", "a broken lock"])
def test_what_was_left_drained_is_let_in_whatever_came_between(shop: Shop, between: str) -> None:
    """web2 was drained and lost; only the rollout after the next one gets to it."""
    lose(shop, "web2", "switch")
    back_again(shop, "web2")
    assert "web2" not in shop.serving()
    if between == "a broken lock":
        shop.gapless("lock", "break", "api", "--yes", "--reason", "it is over", code=0)
    else:
        shop.unit("web3").healthy = False
        shop.gapless("restart", "api", "--yes", code=3)
        shop.unit("web3").healthy = True
    assert "Nothing is locked." in shop.gapless("lock", code=0).text
    shop.gapless("restart", "api", "--hosts", "web2", "--yes", code=0)
    assert shop.serving() == list(HOSTS)


def test_a_rollback_of_a_service_that_is_no_longer_in_the_file(shop: Shop) -> None:
    old = shop.live()[0]
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    deploy = shop.last().id
    shop.edit("  api:\n", "  web:\n")
    shop.gapless("rollback", deploy, "--yes", code=0)
    assert shop.live() == [old] * len(HOSTS)
