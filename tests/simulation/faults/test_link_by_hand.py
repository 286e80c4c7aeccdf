"""A link that somebody moved by hand is not what runs."""

from __future__ import annotations

import pytest

from tests.simulation.faults.shop import Shop


@pytest.mark.parametrize("target", ["releases/old", "releases/gone"])
def test_status_says_that_another_release_is_linked(shop: Shop, target: str) -> None:
    good = shop.live()[0]
    assert "verified last" not in shop.gapless("status", code=0).text
    shop.host("web2").files.link(target, "/srv/api/current")
    ended = shop.gapless("status", code=0)
    name = target.removeprefix("releases/")
    assert f"api on web2: {name} is linked, {good} was verified last" in ended.text
    assert "web1: " not in ended.text.partition("api on")[2]
