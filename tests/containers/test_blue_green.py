"""Containers change as one set: the old one stands by, drained and running, for its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.load import Load

from .engine import Engine
from .plain import Plain
from .shop import Shop


@pytest.fixture(params=[Shop, Plain], ids=["compose", "docker"])
def served(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Iterator[Shop]:
    """Version 1 answers through HAProxy."""
    made: Shop = request.param(engine, tmp_path / "shop")
    made.patience = "30s"
    made.settings["rollout"] = {"strategy": "blue-green", "park": "20s"}
    made.behind_haproxy()
    made.run("deploy", "--yes", "--reason", "first")
    yield made
    made.close()


def test_a_parked_container_serves_again_without_a_start(served: Shop) -> None:
    assert served.proxy is not None
    (old,) = served.ids()
    with Load(served.proxy.url, rate=50, keep_alive=True) as load:
        served.write(VERSION="2")
        controller = served.start("deploy", "--yes", "--reason", "second")
        try:
            served.wait_for("step.started", "park")
            assert served.answer() == "2"
            assert len(served.ids()) == 2
            assert _in_proxy(served, old) == ("DRAIN", "0")
        finally:
            controller.kill()
            controller.wait()
        told = served.run("abort", check=4)
        assert served.answer() == "1", told
    assert served.ids() == [old]
    served.lost_nothing(load)


def test_after_the_time_the_old_one_ends(served: Shop) -> None:
    served.settings["rollout"] = {"strategy": "blue-green", "park": "500ms"}
    served.write(VERSION="2")
    (old,) = served.ids()
    served.run("deploy", "--yes", "--reason", "second")
    assert served.answer() == "2"
    assert len(served.ids()) == 1
    assert old not in served.ids()
    served.run("rollback", "web", "--yes", "--reason", "back")
    assert served.answer() == "1"


def _in_proxy(served: Shop, container: str) -> tuple[str, str]:
    """State and open sessions of its server."""
    assert served.proxy is not None
    slot = served.label(container, "gapless.slot")
    rows = served.proxy.stats().items()
    row = next(row for name, row in rows if name.endswith(f"-{slot}"))
    return row["status"].partition(" ")[0], row["scur"]
