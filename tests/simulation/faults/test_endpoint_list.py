"""Lists of endpoints: one that answers badly is enough, and all that do are told."""

from __future__ import annotations

from tests.simulation.faults.shop import Shop

ASK = """verify:
      endpoints:
        base: "http://{host}:8000"
        ask:
          - /orders
          - {url: /gone, expect: {status: 410}}
          - {url: /carts, expect: {status: 418}}
      retries: 0"""


def test_every_endpoint_that_answers_badly_is_told(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.edit("verify: {http: http://localhost:8000/health}", ASK)
    shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=4)
    failed = [event.data["verdict"] for event in shop.events("check.failed")]
    assert [verdict["asked"] for verdict in failed] == [
        "GET http://web1:8000/gone",
        "GET http://web1:8000/carts",
    ]
    assert "http://web1:8000/gone" in ended.text
    assert "wanted status 410" in ended.text
    assert "http://web1:8000/carts" in ended.text
    shop.all_serve(old)
