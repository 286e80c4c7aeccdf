"""RabbitMQ is restarted by one command with ``--prove``: its client has a queue of its own all the
while, and somebody else publishes into another one."""

from __future__ import annotations

import pytest
import yaml

from tests.clusters.proofs import proved
from tests.clusters.rabbitmq_cluster import NAMES, QUEUE, RabbitSite, rabbit
from tests.clusters.site import Writer

__all__ = ["rabbit"]
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("rabbitmq")]


_PATIENCE = 10.0
"""Seconds for which a client tries. The longest was 0.1 to 1.1 s by itself and on a machine that
others used; tests beside this one may take all of it."""


def test_nothing_that_was_acknowledged_is_lost_and_nothing_is_left(rabbit: RabbitSite) -> None:
    doors = [f"{rabbit.address(name)}:{rabbit.port}" for name in NAMES]
    # tests beside this one may have the processors for longer than the two seconds by default
    client = {"addresses": doors, "budget": f"{_PATIENCE:g}s"}
    before, leader = rabbit.pids(), rabbit.leader()
    rabbit.write()
    file = rabbit.folder / "gapless.yaml"
    whole = yaml.safe_load(file.read_text()) | {"prove": {"workloads": {"store": client}}}
    file.write_text(yaml.safe_dump(whole))
    try:
        with Writer(rabbit.put, OSError, rate=40.0) as writer:
            proof = proved(rabbit)
    finally:
        rabbit.write()
    assert proof.well(), proof.client
    assert len(writer.acknowledged) > 50
    assert not set(writer.acknowledged) - set(rabbit.taken()), "confirmed, and lost"
    assert writer.longest < _PATIENCE
    assert rabbit.order()[-1] == leader, "who leads goes last"
    assert all(rabbit.pids()[name] != before[name] for name in NAMES)
    assert rabbit.well()
    queues = [queue["name"] for queue in rabbit.page(NAMES[0], "queues?disable_stats=true")]
    assert queues == [QUEUE]
    print(proof.client, f"{len(writer.acknowledged)} messages, longest {writer.longest:.2f} s")
