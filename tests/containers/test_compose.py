"""What compose makes of a container that was made anew with our labels."""

from __future__ import annotations

from .shop import Shop


def test_compose_believes_in_the_new_copy(shop: Shop) -> None:
    shop.up()
    shop.write(VERSION="2")
    told = shop.run("deploy", "--yes", "--reason", "test")
    assert shop.containers() == ["shop-web-2 running"], told
    before = shop.ids()
    shop.up()
    assert shop.ids() == before
    assert "shop-web-2" in shop.docker("compose", "ps")
    assert "version 2 starts" in shop.docker("compose", "logs", "web")
    assert shop.label("shop-web-2", "gapless.service") == "web"
    assert shop.label("shop-web-2", "gapless.slot") == "b"
    assert shop.label("shop-web-2", "gapless.generation") == "1"
    assert shop.label("shop-web-2", "gapless.rollout")
