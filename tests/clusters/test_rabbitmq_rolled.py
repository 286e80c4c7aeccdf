"""RabbitMQ is restarted by one command, while somebody publishes all the time."""

from __future__ import annotations

import pytest

from tests.clusters.rabbitmq_cluster import NAMES, RabbitSite, rabbit
from tests.clusters.site import Writer

__all__ = ["rabbit"]
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("rabbitmq"),
]
_PATIENCE = 10.0
"""Seconds for which a client tries. The longest was 0.1 to 1.1 s by itself and on a machine that
others used; tests beside this one may take all of it."""


def test_no_confirmed_message_is_lost(rabbit: RabbitSite) -> None:
    before = rabbit.pids()
    leader = rabbit.leader()
    with Writer(rabbit.put, OSError, rate=40.0) as writer:
        told = rabbit.run("restart", "--yes", "--reason", "test")
    print(told)
    taken = set(rabbit.taken())
    assert not set(writer.acknowledged) - taken, "confirmed, and lost"
    assert len(writer.acknowledged) > 50
    assert rabbit.order()[-1] == leader, "who leads goes last"
    assert all(rabbit.pids()[name] != before[name] for name in NAMES)
    assert rabbit.well()
    print(f"{len(writer.acknowledged)} messages, longest {writer.longest:.2f} s")
    assert writer.longest < _PATIENCE
