"""The older form of events, one line per change of a service.

    {"type":"SERVICE_RESTART_START","serviceId":"sso.api","timestamp":"2026-01-19T12:00:00.000Z",
     "metadata":{…}}

    service.started / succeeded / failed    SERVICE_RESTART_START / _SUCCESS / _FAILED
    rollback.started / succeeded / failed   ROLLBACK_START / _SUCCESS / _FAILED

A service whose instances go back at the same time has one ROLLBACK_START, and one ending when the
last of them has ended: FAILED as soon as one of them failed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from gapless.drivers.sinks.aside import aside
from gapless.drivers.sinks.base import SinkError
from gapless.drivers.sinks.files import append_line
from gapless.events.event import Event

_SERVICE = {
    "service.started": "SERVICE_RESTART_START",
    "service.succeeded": "SERVICE_RESTART_SUCCESS",
    "service.failed": "SERVICE_RESTART_FAILED",
}
_ROLLBACK = frozenset(("rollback.started", "rollback.succeeded", "rollback.failed"))
_KEPT = ("reason", "code", "what", "evidence", "restored", "seconds", "failed")


@dataclass(slots=True)
class _Undo:
    """A rollback of a service under way."""

    hosts: set[str] = field(default_factory=set)
    failed: bool = False


class CompatWriter:
    """Turns events into older ones."""

    def __init__(self) -> None:
        self._undoing: dict[str, _Undo] = {}
        self._reasons: dict[str, str] = {}

    def translate(self, event: Event) -> list[dict[str, Any]]:
        """The older events this one means: none, one, or one per service. Why a rollout was begun
        is in its first event only."""
        if event.type == "rollout.planned" and event.reason:
            self._reasons[event.rollout] = event.reason
        event = replace(event, reason=event.reason or self._reasons.get(event.rollout, ""))
        if event.type in _SERVICE:
            return [_older(_SERVICE[event.type], event.service, event)]
        if event.type not in _ROLLBACK:
            return []
        return [
            _older(kind, service, event, hosts)
            for service, hosts in _by_service(event)
            for kind in self._rollback(event.type, service, hosts)
        ]

    def _rollback(self, kind: str, service: str, hosts: list[str]) -> Iterator[str]:
        known = service in self._undoing
        undo = self._undoing.setdefault(service, _Undo())
        if kind == "rollback.started":
            undo.hosts.update(hosts)
            if not known:
                yield "ROLLBACK_START"
            return
        undo.failed = undo.failed or kind == "rollback.failed"
        undo.hosts.difference_update(hosts)
        if not undo.hosts:
            del self._undoing[service]
            yield "ROLLBACK_FAILED" if undo.failed else "ROLLBACK_SUCCESS"


def _by_service(event: Event) -> list[tuple[str, list[str]]]:
    """An event of a whole rollback names its instances as service@host."""
    if event.host:
        return [(event.service, [event.host])]
    found: dict[str, list[str]] = {}
    for name in event.data.get("hosts") or ():
        service, _, host = str(name).rpartition("@")
        found.setdefault(service or event.service, []).append(host)
    return list(found.items()) or [(event.service, [])]


def _older(kind: str, service: str, event: Event, hosts: list[str] | None = None) -> dict[str, Any]:
    older: dict[str, Any] = {"type": kind, "serviceId": service, "timestamp": _iso(event.ts)}
    metadata = _metadata(event, hosts or [])
    return {**older, "metadata": metadata} if metadata else older


def _metadata(event: Event, hosts: list[str]) -> Mapping[str, Any]:
    told = {key: event.data[key] for key in _KEPT if event.data.get(key)}
    fields = {"rollout": event.rollout, "actor": event.actor, "reason": event.reason}
    return {k: v for k, v in {**fields, "hosts": hosts, **told}.items() if v}


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(round(seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CompatSink:
    """Appends older events to a file."""

    spooled: ClassVar[bool] = False

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        self._writer = CompatWriter()

    @property
    def name(self) -> str:
        """Kind and file."""
        return f"compat {self._path}"

    @property
    def deadline(self) -> float:
        """A disk that takes longer is not there."""
        return 5.0

    async def deliver(self, event: Event) -> None:
        """Append what it means, if it means anything."""
        lines = [json.dumps(o, ensure_ascii=False) for o in self._writer.translate(event)]
        try:
            for line in lines:
                await aside(lambda line=line: append_line(self._path, line))  # type: ignore[misc]
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from None

    def learn(self, event: Event) -> None:
        """Remember which rollbacks are under way."""
        self._writer.translate(event)
