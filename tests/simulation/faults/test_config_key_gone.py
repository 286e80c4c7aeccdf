"""The key of a controller's marks is gone in mid-rollout: what is on the hosts is still known."""

from __future__ import annotations

import pytest

from gapless.testing.world import World
from tests.simulation.faults.configured import APP, OLD, again, configure, contents, files, wanted
from tests.simulation.faults.shop import Shop

DEPLOY = ("deploy", "--hosts", "web1", "--yes")


@pytest.fixture
def configured(shop: Shop) -> Shop:
    configure(shop)
    shop.edit("on: [web1, web2, web3]", "on: [web1]")
    shop.world._hooks.clear()
    return shop


def key_gone(shop: Shop) -> None:
    """The next controller makes another."""
    (shop.folder / "state" / "config.key").unlink()
    shop.rest()
    again(shop)


def somebody_else_writes(shop: Shop) -> None:
    """Whenever the unit of web1 is started anew its file is another."""
    seen = [shop.unit("web1").invocation]

    def write(world: World) -> None:
        now = shop.unit("web1").invocation
        if now != seen[0]:
            seen[0] = now
            shop.host("web1").files.write(APP, b"by somebody else\n", 0o640, "api")

    shop.world.on_change(write)


@pytest.mark.parametrize("step", ["switch", "ready"])
def test_a_deploy_goes_on_to_its_end(configured: Shop, step: str) -> None:
    shop = configured
    shop.kill_at(f"web1/api/{step}")
    shop.killed(*DEPLOY)
    key_gone(shop)
    shop.gapless("resume", code=0)
    assert contents(shop) == [wanted("web1", 4), OLD, OLD]


def test_what_is_not_what_was_put_there_is_no_success(configured: Shop) -> None:
    """A mark that says nothing is no proof."""
    shop = configured
    shop.kill_at("web1/api/switch")
    shop.killed(*DEPLOY)
    key_gone(shop)
    somebody_else_writes(shop)
    ended = shop.gapless("resume", code=5)
    assert "configuration files were put in place, and are not what was put there" in ended.text


@pytest.mark.parametrize("step", ["switch", "ready"])
def test_the_way_back_puts_the_files_back(configured: Shop, step: str) -> None:
    shop, before = configured, files(configured)
    shop.kill_at(f"web1/api/{step}")
    shop.killed(*DEPLOY)
    key_gone(shop)
    shop.gapless("abort", code=4)
    assert files(shop) == before


def test_a_way_back_that_somebody_writes_over_is_not_called_restored(configured: Shop) -> None:
    shop = configured
    shop.kill_at("web1/api/ready")
    shop.killed(*DEPLOY)
    key_gone(shop)
    somebody_else_writes(shop)
    ended = shop.gapless("abort", code=5)
    assert "are not what was put there" in ended.text


def test_a_rollback_by_hand_with_another_key(configured: Shop) -> None:
    shop, before = configured, files(configured)
    shop.gapless(*DEPLOY, code=0)
    key_gone(shop)
    shop.gapless("rollback", "--yes", code=0)
    assert files(shop) == before
