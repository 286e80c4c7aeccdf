"""Three fake brokers are restarted by one command, each by a controlled shutdown of its own; what a
client sees meanwhile is in ``test_proved_kafka.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters.kafka_brokers import NAMES, KafkaBrokers, id_of, well
from tests.clusters.site import Site

pytestmark = [pytest.mark.timeout(170), pytest.mark.xdist_group("kafka-rolled")]


_ASKED = 16
"""Looks after which a broker has caught up: more than there are until the next one is stopped."""


class KafkaSite(Site):
    """Three brokers, the last of which is the controller."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, list(NAMES))
        (folder / "data").mkdir()
        self.brokers = KafkaBrokers(folder / "data")
        self.brokers.lie(controller="1")

    def begin(self) -> None:
        for name in NAMES:
            self.begin_one(name, self.brokers.argv(name))
        self.brokers.wait(lambda facts: all(facts["started"].values()), "three brokers")
        self.write()

    def address(self, name: str) -> str:
        return self.brokers.address(name)

    def service(self) -> dict[str, Any]:
        listener = f"{{address}}:{self.brokers.port}"
        return {
            "health": {"tcp": listener, "timeout": "30s"},
            "cluster": {"kafka": {"address": listener}},
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSite]:
    made = KafkaSite(tmp_path_factory.mktemp("site"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


def test_one_after_the_other_and_the_controller_last(site: KafkaSite) -> None:
    before = site.pids()
    site.brokers.lie(least=99, leaderless=0, catches_up=_ASKED)
    told = site.run("restart", "--yes", "--reason", "test")
    print(told)
    facts = site.brokers.state.read()
    assert [id_of(name) for name in site.order()] == ["2", "3", "1"], "the controller is the last"
    assert all(site.pids()[name] != before[name] for name in NAMES)
    assert facts["least"] == 2, "no second broker was stopped before the first was in every isr"
    assert facts["leaderless"] == 0
    assert well(facts), "each leads again what it led before"


def test_with_an_isr_that_stays_short_nothing_is_touched(site: KafkaSite) -> None:
    before = site.pids()
    partitions = site.brokers.state.read()["partitions"]
    partitions["orders-0"]["isr"].remove("3")
    site.brokers.lie(partitions=partitions, short=["3"])
    told = site.run("restart", "--yes", "--reason", "test", check=None)
    assert "orders-0" in told and "not-in-sync" in told
    assert site.pids() == before
    site.brokers.lie(short=[])
