"""What verbs say when there is nothing they can do, and what they leave behind."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import HOSTS, Shop


def test_a_deploy_without_a_release_is_no_success(shop: Shop) -> None:
    shop.edit("    release: {directory: release, to: /srv/api}\n", "")
    ended = shop.gapless("deploy", "api", "--yes", code=2)
    assert "api has no release to deploy" in ended.text
    assert "gapless restart" in ended.text


def test_nothing_is_left_of_a_rollout_that_is_over(shop: Shop) -> None:
    shop.gapless("restart", "--yes", code=0)
    assert list((shop.folder / "state" / "shop").glob("*.alive")) == []


def test_an_interrupted_rollout_keeps_its_lock(shop: Shop) -> None:
    shop.kill_at("soak")
    shop.killed("restart", "--yes")
    assert "gapless resume" in shop.gapless("lock", code=0).text
    assert "is interrupted" in shop.gapless("status", code=0).text
    shop.gapless("resume", code=0)
    assert list((shop.folder / "state" / "shop").glob("*.alive")) == []


@pytest.mark.parametrize("words", [("events", "nope"), ("history", "nope"), ("watch", "nope")])
def test_an_id_that_does_not_exist(shop: Shop, words: tuple[str, ...]) -> None:
    ended = shop.gapless(*words, code=2)
    assert "there is no rollout nope" in ended.text


def test_a_lock_of_a_service_that_does_not_exist(shop: Shop) -> None:
    ended = shop.gapless("lock", "break", "apii", "--reason", "x", "--yes", code=2)
    assert "unknown service 'apii' — did you mean 'api'?" in ended.text


def test_a_lock_of_a_service_that_left_the_file(shop: Shop) -> None:
    shop.kill_at("soak")
    shop.killed("restart", "--yes")
    shop.edit("  api:", "  other:")
    shop.gapless("lock", "break", "api", "--reason", "renamed", "--yes", code=0)
    assert shop.journal().locks() == []


def test_a_first_plan_offline_says_what_it_brings(shop: Shop) -> None:
    new = shop.release("2")
    plan = shop.gapless("plan", "deploy", "--offline", code=0)
    assert f"api deploy {new}" in plan.text


def test_every_unfit_instance_is_told_and_named(shop: Shop) -> None:
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + "  store: {on: [web2], systemd: store.service}\n")

    async def stopped() -> None:
        shop.host("web2").add_unit("store.service")
        await shop.unit("web1").stop()

    shop.do(stopped())
    ended = shop.gapless("restart", "--yes", code=3)
    assert "api, store are not fit to be touched on 2 hosts" in ended.text
    assert "gapless doctor --hosts web1,web2" in ended.text
    assert len(HOSTS) == 3


def test_a_rollout_whose_lock_was_broken_is_not_the_one_that_is_meant(shop: Shop) -> None:
    shop.kill_at("soak")
    shop.killed("restart", "--yes")
    broken = shop.last().id
    shop.gapless("lock", "break", "api", "--reason", "gone", "--yes", code=0)
    shop.rest()
    shop.kill_at("soak")
    shop.killed("restart", "--yes")
    meant = shop.last().id
    shop.rest()
    ended = shop.gapless("resume", code=0)
    assert meant in ended.text
    assert broken not in ended.text
