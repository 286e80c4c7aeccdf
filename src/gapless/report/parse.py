"""Facts out of event data. Readers accept what is missing: an old event never breaks a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.events.event import Event
from gapless.report.report import (
    ClusterGap,
    Failure,
    Gap,
    LeftOut,
    SchemaBack,
    Undone,
    parse_verdict,
)


def texts(value: Any) -> tuple[str, ...]:
    """A list of strings, whatever it was: None, one string, a list."""
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def failure_of(event: Event) -> Failure:
    """The failure a ``step.failed`` or ``migration.failed`` tells of."""
    data = event.data
    return Failure(
        what=str(data.get("what", "") or event.reason or "failed"),
        service=event.service,
        host=event.host,
        step=event.step,
        code=str(data.get("code", "")),
        kind=str(data.get("kind", "")),
        evidence=str(data.get("evidence", "")),
        verdict=parse_verdict(data.get("verdict")),
        log=tuple(str(data.get("log") or "").splitlines()),
        next=str(data.get("next") or ""),
        at=event.ts,
    )


def undone_instances(event: Event) -> tuple[tuple[str, str], ...]:
    """The instances (service, host) a ``rollback.*`` event is about."""
    if event.host:
        return ((event.service, event.host),)
    names = texts(event.data.get("hosts") or event.data.get("host"))
    parts = (name.rpartition("@") for name in names)
    return tuple((service or event.service, host) for service, _, host in parts)


def undone_of(event: Event, service: str, host: str) -> Undone:
    """What became of the way back of one instance."""
    data = event.data
    return Undone(
        service=service,
        host=host,
        ok=event.type == "rollback.succeeded",
        restored=str(data.get("restored") or ""),
        went_on=bool(data.get("went_on")),
        seconds=float(data.get("seconds") or 0.0),
        verdict=parse_verdict(data.get("verdict")),
        what=str(data.get("what") or ""),
        evidence=str(data.get("evidence") or ""),
        manual=texts(data.get("manual")),
    )


def left_out_of(event: Event) -> LeftOut:
    """An instance that was kept out of traffic."""
    data = event.data
    return LeftOut(
        event.service,
        event.host,
        str(data.get("balancer", "")),
        str(data.get("why", "")),
        str(data.get("next") or ""),
    )


def schema_back_of(event: Event) -> SchemaBack:
    """What became of the data of a service that went back."""
    data = event.data
    if event.type == "migration.bumped":
        return SchemaBack(event.service, was=data.get("live"), bumped=data.get("to"))
    to, was = data.get("to"), data.get("was")
    return SchemaBack(event.service, to, was, "" if to is not None else str(data.get("why", "")))


def gap_of(data: Mapping[str, Any]) -> Gap:
    """The gap a ``prove.*`` event measured."""
    return Gap(
        sent=int(data.get("sent") or 0),
        failed=int(data.get("failed") or 0),
        longest_silence=float(data.get("longest_silence") or 0.0),
        p50_before=_seconds(data, "p50_before"),
        p99_before=_seconds(data, "p99_before"),
        p50_during=_seconds(data, "p50_during"),
        p99_during=_seconds(data, "p99_during"),
        late=int(data.get("late") or 0),
        first_failures=tuple(data.get("first_failures") or data.get("failures") or ()),
        versions=dict(data.get("versions") or {}),
        workloads=tuple(_cluster_gap(one) for one in data.get("workloads") or ()),
    )


def _cluster_gap(data: Mapping[str, Any]) -> ClusterGap:
    return ClusterGap(
        service=str(data.get("service", "")),
        kind=str(data.get("kind", "")),
        operations=int(data.get("operations") or 0),
        failed=int(data.get("failed") or 0),
        retried=int(data.get("retried") or 0),
        longest_gap=float(data.get("longest_gap") or 0.0),
        p50_before=_seconds(data, "p50_before"),
        p99_before=_seconds(data, "p99_before"),
        p50_during=_seconds(data, "p50_during"),
        p99_during=_seconds(data, "p99_during"),
        late=int(data.get("late") or 0),
        acknowledged=int(data.get("acknowledged") or 0),
        lost=int(data.get("lost") or 0),
        unread=int(data.get("unread") or 0),
        first_failures=tuple(data.get("first_failures") or data.get("failures") or ()),
        first_lost=tuple(data.get("first_lost") or ()),
        left=str(data.get("left") or ""),
        unmeasured=str(data.get("unmeasured") or ""),
    )


def _seconds(data: Mapping[str, Any], key: str) -> float | None:
    value = data.get(key)
    return None if value is None else float(value)
