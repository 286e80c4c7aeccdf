"""What is told beside a stop that did not end."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.config.clusters import ClusterConfig
from gapless.engine.standstill import slow_stop
from gapless.engine.steps.switch import refused_by_host
from gapless.model import Completed, Settled, Settlement


class _Runtime:
    unit = "chronik.service"

    def refusal(self, last: Completed) -> None:
        return None


class _Service:
    def __init__(self, cluster: ClusterConfig | None) -> None:
        self.cluster = cluster


class _Instance:
    """As much of a context as is looked at."""

    runtime = _Runtime()
    instance = "chronik@node1"

    def __init__(self, **cluster: Any) -> None:
        self.config = _Service(ClusterConfig.model_validate(cluster) if cluster else None)


def _told(ctx: Any, *, late: bool) -> str:
    argv = ("systemctl", "restart", "chronik.service")
    last = Completed(argv, 1, "", "its last words", 90.0, timed_out=late)
    error = refused_by_host(ctx, Settled(Settlement.DONE, (last,)))
    assert error.next == "journalctl -u chronik.service -n 50"
    return f"{error.what}\n{error.evidence}"


@pytest.mark.parametrize(
    ("cluster", "own"),
    [({"chronik": {}}, "CHRONIK_DRAIN_TIMEOUT"), ({"etcd": {}}, "the member's own limit for it")],
)
def test_a_drain_that_does_not_end_is_a_cause(cluster: dict[str, Any], own: str) -> None:
    told = _told(_Instance(**cluster), late=True)
    assert "did not end in 90 s\nits last words\nrequests under way that do not end" in told
    assert f"more time: {own}, TimeoutStopSec, cluster.stop" in told


def test_what_is_no_cluster_has_no_stages() -> None:
    ctx: Any = _Instance()
    assert slow_stop(ctx, "its last words") == "its last words"


def test_a_stop_that_failed_in_time_is_another_trouble() -> None:
    assert "requests under way" not in _told(_Instance(etcd={}), late=False)
