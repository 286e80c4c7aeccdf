"""Hosts that were down or failed get the release they missed: the verified one, not a newer source,
through the same steps and gates."""

from __future__ import annotations

import pytest

from gapless.drivers import registry
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.assembly import SimRelease
from tests.simulation.faults.shop import HOSTS, Shop
from tests.unit.drivers.releases.sources import commit, make

FOREVER = 1e9
TOLERANT = "canary: 1, batch: 1, max_failed: 1, max_unavailable: 2"


@pytest.fixture
def tolerant(shop: Shop) -> Shop:
    """One failed host does not stop a deploy."""
    shop.edit("canary: 1, batch: 1", TOLERANT)
    shop.world.breaches.clear()
    return shop


def away(shop: Shop, host: str) -> None:
    shop.host(host).cut(FOREVER)


def back(shop: Shop, host: str) -> None:
    shop.host(host).unreachable_until = 0.0


def source_holds(shop: Shop, newest: str) -> str:
    """From now on it has this version, and older ones can still be had."""

    def release(*more: object) -> SimRelease:
        return SimRelease("/srv/api", newest)

    shop.patch.setattr(registry, "release", release)
    return newest


def test_a_host_that_was_down_gets_what_it_missed(tolerant: Shop) -> None:
    shop, old = tolerant, tolerant.live()[0]
    away(shop, "web3")
    verified = source_holds(shop, "v2")
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "then gapless catch-up api" in ended.text
    missed_in = shop.last().id
    back(shop, "web3")
    newer = source_holds(shop, "v3")
    status = shop.gapless("status", code=0)
    assert f"api on web3 missed {verified}: gapless catch-up api" in status.text
    plan = shop.gapless("catch-up", "--dry-run", code=0)
    assert "catch-up shop — 1 service, 1 instance on 1 host" in plan.text
    assert f"missed {verified} in {missed_in}: web3 (" in plan.text
    assert "web1 web2: missed nothing" in plan.text
    assert shop.live() == [verified, verified, old]
    shop.world.history.clear()
    shop.gapless("catch-up", "--yes", code=0)
    assert newer not in shop.live()
    assert shop.live() == [verified] * 3
    assert shop.changed() == ["web3 restart"]
    steps = [e.step for e in shop.events("step.succeeded") if e.host == "web3"]
    for step in ("preflight", "snapshot", "stage", "drain", "switch", "ready", "soak", "verify"):
        assert step in steps
    assert "catch-up" not in shop.gapless("status", code=0).text
    ended = shop.gapless("catch-up", "--yes", code=0)
    assert "Nothing to do" in ended.text


def test_a_host_that_was_lost_before_it_was_changed(tolerant: Shop) -> None:
    shop = tolerant
    verified = shop.release("2")
    shop.at("web2/api/stage", lambda: away(shop, "web2"))
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "GL-506" in ended.text
    assert "gapless doctor --hosts web2; then gapless catch-up api" in ended.text
    back(shop, "web2")
    shop.gapless("catch-up", "--yes", code=0)
    assert shop.live() == [verified] * 3


def test_a_host_that_was_lost_after_it_was_changed_is_not_called_missed(tolerant: Shop) -> None:
    """Its service is stopped: no release was verified that it could be brought."""
    shop = tolerant
    shop.release("2")
    shop.at("web2/api/ready", lambda: away(shop, "web2"))
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "catch-up" not in ended.text
    shop.world.breaches.clear()


def test_a_host_that_failed_gets_it_as_well(tolerant: Shop) -> None:
    shop, old = tolerant, tolerant.live()[0]
    verified = shop.release("2")
    shop.unit("web2").behaviours[verified] = NEVER_READY
    shop.gapless("deploy", "--yes", code=5)
    assert shop.live() == [verified, old, verified]
    del shop.unit("web2").behaviours[verified]
    plan = shop.gapless("catch-up", "api", "--dry-run", code=0)
    assert "web2 (" in plan.text
    shop.gapless("catch-up", "api", "--yes", code=0)
    shop.all_serve(verified)


def test_a_host_that_was_left_out_because_it_was_down(shop: Shop) -> None:
    """With ``max_failed: 0`` that is the way to deploy without it; who is only not asked for misses
    nothing."""
    shop.edit("canary: 1, batch: 1", "canary: 1, batch: 1, max_unavailable: 2")
    old = shop.live()[0]
    away(shop, "web3")
    verified = shop.release("2")
    shop.gapless("deploy", "--hosts", "web1", "--yes", code=0)
    back(shop, "web3")
    plan = shop.gapless("catch-up", "--dry-run", code=0)
    assert "web3" in plan.text
    assert "web1 web2: missed nothing" in plan.text
    shop.gapless("catch-up", "--yes", code=0)
    assert shop.live() == [verified, old, verified]


def test_who_still_does_not_answer_is_listed_and_stays_due(tolerant: Shop) -> None:
    shop = tolerant
    away(shop, "web3")
    verified = shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    ended = shop.gapless("catch-up", "--yes", code=3)
    assert "api on web3: unreachable" in ended.text
    assert "stays due" in ended.text
    assert "gapless doctor --hosts web3" in ended.text
    row = shop.gapless("status", code=0)
    assert f"api on web3 missed {verified}" in row.text
    back(shop, "web3")
    shop.gapless("catch-up", "--yes", code=0)
    shop.all_serve(verified)


def test_some_answer_and_some_do_not(shop: Shop) -> None:
    shop.edit("canary: 1, batch: 1", "canary: 1, batch: 1, max_failed: 2, max_unavailable: 3")
    old = shop.live()[0]
    for host in ("web2", "web3"):
        away(shop, host)
    verified = shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    back(shop, "web2")
    ended = shop.gapless("catch-up", "--yes", code=0)
    assert "api web3: unreachable" in ended.text
    assert "stays due" in ended.text
    assert shop.live() == [verified, verified, old]


def test_a_failed_catch_up_goes_back_and_stays_due(tolerant: Shop) -> None:
    shop, old = tolerant, tolerant.live()[0]
    away(shop, "web3")
    verified = shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    back(shop, "web3")
    shop.unit("web3").behaviours[verified] = NEVER_READY
    ended = shop.gapless("catch-up", "--yes", "--max-failed", "0", code=4)
    assert "gapless catch-up api" in ended.text
    assert shop.live() == [verified, verified, old]
    del shop.unit("web3").behaviours[verified]
    shop.gapless("catch-up", "--yes", code=0)
    shop.all_serve(verified)


def test_what_was_taken_back_was_not_missed(tolerant: Shop) -> None:
    """A release that a person withdrew is brought to nobody."""
    shop, old = tolerant, tolerant.live()[0]
    away(shop, "web3")
    shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    shop.gapless("rollback", "api", "--yes", code=0)
    back(shop, "web3")
    ended = shop.gapless("catch-up", "--yes", code=0)
    assert "Nothing to do" in ended.text
    shop.all_serve(old)


def test_a_rollout_that_failed_sets_no_last_good(shop: Shop) -> None:
    """Nobody missed what was never verified, and hosts remember what was."""
    old = shop.live()[0]
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    ended = shop.gapless("catch-up", "--yes", code=0)
    assert "Nothing to do" in ended.text
    shop.all_serve(old)
    for host in HOSTS:
        good = shop.host(host).memory["shop.api"]["last_good"]
        assert good["release"]["name"] == old


def test_a_release_that_came_up_nowhere_is_not_verified(shop: Shop) -> None:
    """Every failure was tolerated, and that verifies nothing."""
    old = shop.live()[0]
    shop.edit("canary: 1, batch: 1", "batch: 1, max_failed: 3")
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    assert "Nothing to do" in shop.gapless("catch-up", "--yes", code=0).text
    shop.all_serve(old)


FORCED = ("--force", "--reason", "it must go out")


def test_what_was_forced_is_not_verified(tolerant: Shop) -> None:
    """Its health gates were skipped: nobody is brought it, and nobody told to catch up with it."""
    shop, old = tolerant, tolerant.live()[0]
    away(shop, "web3")
    forced = shop.release("2")
    ended = shop.gapless("deploy", "--yes", *FORCED, code=5)
    assert "catch-up" not in ended.text
    assert "gapless doctor --hosts web3; then gapless deploy api --hosts web3" in ended.text
    back(shop, "web3")
    assert "missed" not in shop.gapless("status", code=0).text
    assert "Nothing to do" in shop.gapless("catch-up", "--yes", code=0).text
    assert shop.live() == [forced, forced, old]


def test_before_what_was_forced_the_verified_release_is_still_due(tolerant: Shop) -> None:
    """web3 missed both: it gets the one that was verified."""
    shop = tolerant
    away(shop, "web3")
    verified = source_holds(shop, "v2")
    shop.gapless("deploy", "--yes", code=5)
    forced = source_holds(shop, "v3")
    shop.gapless("deploy", "--yes", *FORCED, code=5)
    back(shop, "web3")
    assert f"api on web3 missed {verified}" in shop.gapless("status", code=0).text
    shop.gapless("catch-up", "--yes", code=0)
    assert shop.live() == [forced, forced, verified]


def test_a_forced_catch_up_brings_it_all_the_same(tolerant: Shop) -> None:
    shop = tolerant
    away(shop, "web3")
    verified = shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    back(shop, "web3")
    shop.gapless("catch-up", "--yes", *FORCED, code=0)
    shop.all_serve(verified)
    assert "Nothing to do" in shop.gapless("catch-up", "--yes", code=0).text


@pytest.mark.real
def test_a_commit_that_was_missed_while_the_branch_went_on(shop: Shop) -> None:
    repository = make(shop.folder / "shop.git")
    tree = shop.folder / "tree"
    tree.mkdir()
    (tree / "app").write_text("2")
    commit(tree, repository, "app 2")
    shop.edit("canary: 1, batch: 1", TOLERANT)
    shop.edit("release: {directory: release, to: /srv/api}", GIT)
    old = shop.live()[0]
    away(shop, "web3")
    shop.gapless("deploy", "--yes", code=5)
    verified = shop.live()[0]
    assert shop.live() == [verified, verified, old] != [old] * 3
    (tree / "app").write_text("3")
    commit(tree, repository, "app 3")
    back(shop, "web3")
    shop.gapless("catch-up", "--yes", code=0)
    assert shop.live() == [verified] * 3
    app = shop.host("web3").files.node("/srv/api/current/app")
    assert app is not None
    assert app.content == b"2"


GIT = "release: {git: shop.git, ref: main, fetch: controller, to: /srv/api}"


def test_the_last_good_release_is_of_the_environment(tolerant: Shop) -> None:
    """What production verified is nothing that staging missed."""
    shop = tolerant
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + "environments: {staging: {}}\n")
    away(shop, "web3")
    shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    back(shop, "web3")
    ended = shop.gapless("catch-up", "-e", "staging", "--dry-run", code=0)
    assert "missed nothing" in ended.text
    assert "web3 (" in shop.gapless("catch-up", "--dry-run", code=0).text


def test_a_release_that_is_gone_is_refused(tolerant: Shop) -> None:
    shop, old = tolerant, tolerant.live()[0]
    away(shop, "web3")
    verified = shop.release("2")
    shop.gapless("deploy", "--yes", code=5)
    back(shop, "web3")
    shop.release("3")
    ended = shop.gapless("catch-up", "--yes", code=3)
    assert verified in ended.text
    assert "GL-206" in ended.text
    assert shop.live() == [verified, verified, old]


def test_what_another_environment_verified_is_not_called_last_good(shop: Shop) -> None:
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + "environments: {staging: {}}\n")
    shop.release("2")
    shop.gapless("deploy", "-e", "staging", "--yes", code=0)
    for host in HOSTS:
        assert shop.host(host).memory["shop.api"]["last_good"]["environment"] == "staging"
        shop.host(host).files.link("releases/old", "/srv/api/current")
    assert "was verified last" in shop.gapless("status", "-e", "staging", code=0).text
    assert "was verified last" not in shop.gapless("status", code=0).text


@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",)], ids=["", "yes", "dry"])
def test_a_paused_rollout_owns_the_service(shop: Shop, options: tuple[str, ...]) -> None:
    """Its hosts are of two releases: nobody may say that all is where it should be."""
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", "--on-failure", "pause", code=7)
    paused = shop.last().id
    told = shop.gapless("catch-up", *options, code=6).text
    assert "Nothing to do" not in told
    assert f"gapless promote {paused} or gapless abort {paused}" in told


def test_nothing_to_do_is_told_without_a_terminal(shop: Shop) -> None:
    assert "Nothing to do" in shop.gapless("catch-up", code=0).text


def test_what_is_due_is_not_brought_without_a_terminal(tolerant: Shop) -> None:
    away(tolerant, "web3")
    tolerant.release("2")
    tolerant.gapless("deploy", "--yes", code=5)
    back(tolerant, "web3")
    tolerant.world.history.clear()
    assert "nobody can be asked" in tolerant.gapless("catch-up", code=2).text
    assert tolerant.changed() == []
