"""The measured gap in words. "Zero downtime" is a number here, not an adjective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gapless.render.layout import WIDTH, labelled
from gapless.render.words import plural, seconds
from gapless.report.report import Gap

SHOWN = 3
"""Failed requests that are told one by one."""


def gap(reading: Gap | None, width: int = WIDTH) -> Iterator[str]:
    """What clients missed, as lines of a screen."""
    if reading is None:
        return
    yield from labelled("gap", gap_line(reading), width)
    shown = reading.first_failures[:SHOWN]
    for failure in shown:
        yield from labelled("", _failed(failure), width)
    if shown and reading.failed > len(shown):
        yield from labelled("", f"and {reading.failed - len(shown):,} more", width)
    if reading.versions:
        told = "   ".join(f"{name}: {count:,}" for name, count in reading.versions.items())
        yield from labelled("", f"answered by {told}", width)


def _failed(failure: Mapping[str, Any]) -> str:
    """When is counted from the first request."""
    at = failure.get("at")
    when = f" after {seconds(float(at))}" if isinstance(at, (int, float)) else ""
    return f"failed{when}: {failure.get('what') or 'nobody knows why'}"


def gap_line(reading: Gap) -> str:
    """Sent, failed, longest silence, latency before and during."""
    parts = [f"{plural(reading.sent, 'request')} sent", f"{reading.failed:,} failed"]
    parts.append(f"longest silence {seconds(reading.longest_silence)}")
    parts += _latency("p50", reading.p50_before, reading.p50_during)
    parts += _latency("p99", reading.p99_before, reading.p99_during)
    if reading.late:
        parts.append(f"{reading.late:,} sent late by the prober and not counted")
    return ", ".join(parts)


def _latency(name: str, before: float | None, during: float | None) -> list[str]:
    if during is None:
        return []
    return [
        f"{name} {seconds(before)} → {seconds(during)}" if before else f"{name} {seconds(during)}"
    ]
