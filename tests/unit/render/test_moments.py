"""What one event is in a line."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.events.event import Event
from gapless.render.moments import sentence


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"member": "1", "moved": 0}, "leads nothing in 2 s"),
        ({"member": "1", "moved": 2}, "leads nothing (2 leaderships) in 2 s"),
        (
            {"member": "1", "moved": 1, "beside": {"patroni": 1}},
            "leads nothing (1 leadership, 1 leadership of patroni) in 2 s",
        ),
        (
            {"member": "1", "moved": 0, "keeps": 1},
            "leads nothing that can be moved (1 leadership leaves when it stops) in 2 s",
        ),
        (
            {"member": "1", "moved": 1, "leads": ["SHOP > SOLO"]},
            "still leads SHOP > SOLO (1 leadership) in 2 s",
        ),
        ({"member": "1", "leads": list("abcde")}, "still leads a, b, c and 2 more in 2 s"),
    ],
)
def test_what_a_member_led(data: dict[str, Any], told: str) -> None:
    event = Event(
        "step.succeeded", service="store", host="h1", step="evacuate", data={"seconds": 2.0, **data}
    )
    assert sentence(event) == f"h1 store  {told}"


def test_what_a_cluster_bears() -> None:
    event = Event("cluster.margin", service="store", data={"least": 0, "lines": ["a: 1", "b: 2"]})
    assert sentence(event) == "store  a: 1; b: 2"
