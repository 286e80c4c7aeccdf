"""The disk of a host takes nothing: nothing that runs was touched, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import Shop


def untouched(shop: Shop, old: str) -> None:
    assert shop.last().outcome == "restored"
    shop.rest()
    assert shop.changed() == []
    assert shop.leftovers() == []
    shop.all_serve(old)
    shop.world.check()


def test_full_disk_on_the_target(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.release("2")

    def fill() -> None:
        shop.host("web1").files.full = True

    shop.at("stage", fill)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "api on web1 during stage: the disk is full" in ended.text
    assert "No space left on device" in ended.text
    assert "df -h /srv/api" in ended.text
    untouched(shop, old)
    shop.host("web1").files.full = False
    shop.gapless("deploy", "--yes", code=0)
    assert len(set(shop.live()) - {old}) == 1


@pytest.mark.parametrize("how", ["full", "read_only"])
def test_disk_that_takes_nothing_from_the_switch_on(shop: Shop, how: str) -> None:
    """The link cannot be made, so nothing was restarted: the old copy goes on, in traffic."""
    (old, *_) = shop.live()
    shop.release("2")
    shop.at("switch", lambda: setattr(shop.host("web1").files, how, True))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "api on web1 during switch: ln -sfn" in ended.text
    untouched(shop, old)


def test_read_only_file_system(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.release("2")
    shop.host("web1").files.read_only = True
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "api on web1" in ended.text
    assert "Read-only file system" in ended.text
    untouched(shop, old)
    shop.host("web1").files.read_only = False
    shop.gapless("deploy", "--yes", code=0)
    assert len(set(shop.live()) - {old}) == 1


@pytest.mark.parametrize("how", ["full", "read_only"])
def test_disk_that_takes_nothing_at_the_commit(shop: Shop, how: str) -> None:
    """The new copy is verified and serves: what cannot be written down is told, no more."""
    new = shop.release("2")
    shop.at("commit", lambda: setattr(shop.host("web1").files, how, True))
    ended = shop.gapless("deploy", "--yes", code=0)
    assert "not remembered as last good" in ended.text
    shop.rest()
    shop.all_serve(new)
