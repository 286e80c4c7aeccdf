"""Prometheus's text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/

1. Each metric has its HELP and TYPE once, and then all of its lines.
2. What nobody knows has no line: a 0 would be a claim.
3. A view of a cluster tells of all its members at once: a member that the last view does not have
   is in it no more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gapless.drivers.sinks.figures import Figures, Series


@dataclass(frozen=True, slots=True)
class Metric:
    """``type`` is counter, gauge or summary; a summary has the totals NAME_sum and NAME_count.
    ``view``: rule 3."""

    name: str
    type: str
    help: str
    view: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """Names of its lines."""
        return tuple(f"{self.name}{part}" for part in _PARTS) if self.summary else (self.name,)

    @property
    def summary(self) -> bool:
        """Whether it has two numbers in place of one."""
        return self.type == "summary"


METRICS = (
    Metric("gapless_rollouts_total", "counter", "Rollouts that are over, by how they ended."),
    Metric(
        "gapless_rollout_duration_seconds",
        "summary",
        "Time from the first step to the end, pauses included; of a refused one from its plan.",
    ),
    Metric(
        "gapless_last_rollout_end_timestamp_seconds", "gauge", "When the last rollout was over."
    ),
    Metric(
        "gapless_last_rollout_exit_code", "gauge", "Exit code that the last rollout ended with."
    ),
    Metric("gapless_step_duration_seconds", "summary", "Time that steps took that succeeded."),
    Metric("gapless_step_last_duration_seconds", "gauge", "Time that the last one of them took."),
    Metric("gapless_stop_duration_seconds", "gauge", "Time that an instance last took to stop."),
    Metric(
        "gapless_leadership_transfers_total",
        "counter",
        "Leaderships that were to leave a member before it was stopped: success or failed.",
    ),
    Metric(
        "gapless_cluster_member_leaders",
        "gauge",
        "Groups that a member led when the cluster was last looked at after a restart.",
        view=True,
    ),
    Metric("gapless_cluster_member_groups", "gauge", "Groups that it was to hold then.", view=True),
    Metric(
        "gapless_cluster_member_in_sync", "gauge", "Of these, those it was in sync in.", view=True
    ),
    Metric(
        "gapless_longest_unavailability_seconds",
        "gauge",
        "Longest time without an answer in the last rollout with --prove: of a cluster as its"
        " service, of the front door without one.",
    ),
)
"""In the order of the file."""

_PARTS = ("_sum", "_count")


def written(figures: Figures) -> str:
    """The whole file."""
    return "".join(f"{line}\n" for metric in METRICS for line in _of(metric, figures))


def _of(metric: Metric, figures: Figures) -> Iterator[str]:
    values = dict(_values(metric, figures))
    if not values:
        return
    yield f"# HELP {metric.name} {_escaped(metric.help, quotes=False)}"
    yield f"# TYPE {metric.name} {metric.type}"
    order = {name: number for number, name in enumerate(metric.lines)}
    for series in sorted(values, key=lambda one: (one.labels, order[one.name])):
        yield f"{series.name}{_labels(series)} {_number(values[series])}"


def _values(metric: Metric, figures: Figures) -> Iterable[tuple[Series, float]]:
    if metric.type != "gauge":
        return ((one, value) for one, value in figures.totals.items() if one.name in metric.lines)
    found = {one: at for one, at in figures.last.items() if one.name == metric.name}
    newest: dict[Series, float] = {}
    for one, (at, _) in found.items():
        shared = one.without("member") if metric.view else one
        newest[shared] = max(at, newest.get(shared, -math.inf))
    return (
        (one, value)
        for one, (at, value) in found.items()
        if at == newest[one.without("member") if metric.view else one]
    )


def _labels(series: Series) -> str:
    if not series.labels:
        return ""
    pairs = (f'{label}="{_escaped(value, quotes=True)}"' for label, value in series.labels)
    return f"{{{','.join(pairs)}}}"


def _escaped(text: str, *, quotes: bool) -> str:
    """A backslash and a line feed are escaped everywhere, a quote in labels only."""
    told = text.replace("\\", "\\\\").replace("\n", "\\n")
    return told.replace('"', '\\"') if quotes else told


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
