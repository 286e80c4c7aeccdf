"""Services that ran without a release before the first deploy of one: there is a way back."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import NEVER_READY, Behaviour
from tests.simulation.faults.shop import HOSTS, Shop

NONE = ""
THERE_AND_BACK = ["web1 restart", "web1 stop", "web1 start"]


@pytest.fixture
def unreleased(shop: Shop) -> Shop:
    """All three run from their unit alone; nothing was ever deployed."""
    for host in HOSTS:
        shop.host(host).files.remove("/srv/api/current")
        shop.unit(host).run_already()
    shop.all_serve(NONE)
    return shop


def test_failed_first_release_leaves_none_live(unreleased: Shop) -> None:
    shop = unreleased
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "web1 api back on no release, as before" in ended.text
    assert shop.last().outcome == "restored"
    shop.rest()
    assert shop.changed() == THERE_AND_BACK
    shop.all_serve(NONE)


def test_first_release_is_taken_back_by_hand(unreleased: Shop) -> None:
    shop = unreleased
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    ended = shop.gapless("rollback", "api", "--yes", code=0)
    assert "now api no release: web[1:3]" in ended.text
    shop.all_serve(NONE)
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)


def test_way_back_from_the_first_release_that_fails_names_the_command(unreleased: Shop) -> None:
    """The service does not start without it, which nobody could know."""
    shop = unreleased
    shop.bad_release(NEVER_READY)
    shop.unit("web1").behaviours[NONE] = Behaviour(status=503)
    ended = shop.gapless("deploy", "--yes", code=5)
    assert "sudo rm -f -- /srv/api/current" in ended.text
    assert shop.live() == [NONE] * 3


@pytest.mark.parametrize("step", ["switch", "ready", "undo-switch", "undo-ready"])
def test_controller_killed_on_the_way_back_from_the_first_release(
    unreleased: Shop, step: str
) -> None:
    shop = unreleased
    shop.bad_release(NEVER_READY)
    shop.kill_at(step)
    shop.killed("deploy", "--yes")
    shop.gapless("resume", code=4)
    assert shop.last().outcome == "restored"
    shop.rest()
    assert shop.changed() == THERE_AND_BACK
    shop.all_serve(NONE)
