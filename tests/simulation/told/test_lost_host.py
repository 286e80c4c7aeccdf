"""A host that went away: said at once, and not as a step that takes long."""

from __future__ import annotations

from gapless.testing.faults import Fault, What, When
from tests.simulation.faults.shop import Shop


def test_a_lost_connection_is_told(shop: Shop) -> None:
    shop.release("2")
    shop.world.faults.add(
        Fault(
            What.UNREACHABLE, When.DURING, verb="act", host="web2", about="systemctl restart",
            seconds=15.0, delay=0.1,
        )
    )  # fmt: skip
    ended = shop.gapless("deploy", "--yes", code=0)
    assert shop.world.faults.struck
    assert "web2 api  connection lost, trying for 1 min 30 s" in ended.err
    assert "web2 api  connected again after" in ended.err
