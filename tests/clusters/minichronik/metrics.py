"""Figures, under the names that the document gives them; it has none for requests in flight."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_KEPT = 1000


class Metrics:
    """The duration of the last orderly stop outlives the process in a file."""

    def __init__(self, data: Path) -> None:
        self._file = data / "shutdown-duration"
        self.transfers = {"success": 0, "failed": 0}
        self.shutdown = float(self._file.read_text()) if self._file.exists() else 0.0
        self._took = {kind: deque[float](maxlen=_KEPT) for kind in ("produce", "fetch")}

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Counts when it is done."""
        start = time.monotonic()
        yield
        self._took[kind].append(time.monotonic() - start)

    def stopped(self, seconds: float) -> None:
        self.shutdown = seconds
        self._file.write_text(str(seconds))

    def text(self, leads: dict[int, int], in_sync: dict[str, int], in_flight: int) -> str:
        """Prometheus's; partitions led by node, and in-sync replicas by partition."""
        lines = [
            *_metric("leadership_transfers_total", "counter", "result", self.transfers),
            "# TYPE chronik_shutdown_duration_seconds gauge",
            f"chronik_shutdown_duration_seconds {self.shutdown:.3f}",
            "# TYPE chronik_in_flight_requests gauge",
            f"chronik_in_flight_requests {in_flight}",
            *_metric("partition_leader_count", "gauge", "node", leads),
            *_metric("partition_isr_count", "gauge", "partition", in_sync),
        ]
        for kind, took in self._took.items():
            p99 = sorted(took)[int(len(took) * 0.99)] if took else 0.0
            quantile = {"0.99": f"{p99:.6f}"}
            lines += _metric(f"{kind}_latency_seconds", "summary", "quantile", quantile)
        return "\n".join([*lines, ""])


def _metric(name: str, kind: str, label: str, values: Mapping[Any, object]) -> list[str]:
    lines = [f'chronik_{name}{{{label}="{key}"}} {value}' for key, value in values.items()]
    return [f"# TYPE chronik_{name} {kind}", *lines]
