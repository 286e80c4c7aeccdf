"""The measured gap in words. "Zero downtime" is a number here, not an adjective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gapless.render.layout import WIDTH, labelled
from gapless.render.words import plural, seconds
from gapless.report.report import ClusterGap, Gap

SHOWN = 3
"""Failed requests that are told one by one."""


def gap(reading: Gap | None, width: int = WIDTH) -> Iterator[str]:
    """What clients missed, as lines of a screen."""
    if reading is None:
        return
    if _has_front_door(reading):
        yield from labelled("gap", gap_line(reading), width)
        yield from _front_door(reading, width)
    for number, one in enumerate(reading.workloads):
        first = not number and not _has_front_door(reading)
        yield from _cluster(one, "gap" if first else "", width)


def shortfalls(reading: Gap | None) -> str:
    """What was not as --prove was to show it, in a few words; "" where everything was."""
    if reading is None:
        return ""
    failed = [f"{plural(reading.failed, 'request')} failed"] if reading.failed else []
    for one in reading.workloads:
        if one.failed:
            failed.append(f"{plural(one.failed, 'operation')} of {one.service} failed")
        if one.lost:
            failed.append(f"{plural(one.lost, 'acknowledged write')} of {one.service} lost")
        if one.unread:
            failed.append(f"{plural(one.unread, 'write')} of {one.service} not read back")
    return ", ".join(failed)


def _has_front_door(reading: Gap) -> bool:
    return not reading.workloads or bool(reading.sent or reading.late)


def _front_door(reading: Gap, width: int) -> Iterator[str]:
    shown = reading.first_failures[:SHOWN]
    for failure in shown:
        yield from labelled("", _failed(failure), width)
    if shown and reading.failed > len(shown):
        yield from labelled("", f"and {reading.failed - len(shown):,} more", width)
    if reading.versions:
        told = "   ".join(f"{name}: {count:,}" for name, count in reading.versions.items())
        yield from labelled("", f"answered by {told}", width)


def _cluster(one: ClusterGap, label: str, width: int) -> Iterator[str]:
    yield from labelled(label, cluster_line(one), width)
    if one.unmeasured:
        return
    yield from labelled("", _written(one), width)
    shown = one.first_failures[:SHOWN]
    for failure in shown:
        yield from labelled("", _failed(failure), width)
    if shown and one.failed > len(shown):
        yield from labelled("", f"and {one.failed - len(shown):,} more", width)
    if one.left:
        yield from labelled("", f"not removed: {one.left}", width)


def cluster_line(one: ClusterGap) -> str:
    """Operations, failed, tried again, longest gap, latency before and during."""
    if one.unmeasured:
        return f"{one.service}: not measured: {one.unmeasured}"
    parts = [f"{one.service}: {plural(one.operations, 'operation')}", f"{one.failed:,} failed"]
    parts += [f"{one.retried:,} tried again", f"longest gap {seconds(one.longest_gap)}"]
    parts += _latency("p99", one.p99_before, one.p99_during)
    if one.late:
        parts.append(f"{one.late:,} late by the client itself and not counted")
    return ", ".join(parts)


def _written(one: ClusterGap) -> str:
    lost = f"{one.lost:,} lost"
    if one.first_lost:
        numbers = ", ".join(map(str, one.first_lost))
        lost += f": number {numbers}{' …' if one.lost > len(one.first_lost) else ''}"
    unread = f"; {one.unread:,} could not be read back" if one.unread else ""
    return f"{plural(one.acknowledged, 'write')} acknowledged, {lost}{unread}"


def _failed(failure: Mapping[str, Any]) -> str:
    """When is counted from the first request."""
    at = failure.get("at")
    when = f" after {seconds(float(at))}" if isinstance(at, (int, float)) else ""
    return f"failed{when}: {failure.get('what') or 'nobody knows why'}"


def told(reading: Gap) -> str:
    """All of it on one line."""
    parts = [gap_line(reading)] if _has_front_door(reading) else []
    for one in reading.workloads:
        parts.append(cluster_line(one))
        if not one.unmeasured:
            parts[-1] += f", {_written(one)}"
    return "; ".join(parts)


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
