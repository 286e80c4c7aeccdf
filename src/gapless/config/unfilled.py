"""Placeholders that nothing fills in, in the keys of clusters, processes, containers and clients.

1. An address holds no braces of its own: whatever stands in them and is not known is mistyped. In a
   command or the body of a request only what looks like a placeholder is.
2. Each of them knows some placeholders only: a cluster is asked before there are two copies of
   anything, so ``{slot}`` means nothing in an address of its members, and the command of a process
   is started on its own host, where ``{slot}`` is all that differs.

Works on plain data and tolerates anything, as :mod:`gapless.config.references` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gapless.config.addresses import COMMAND_FIELDS, mistyped_fields, unknown_fields
from gapless.config.references import Finding, Path
from gapless.config.slots import mistyped

_MEMBER_FIELDS = tuple(field for field in COMMAND_FIELDS if field != "slot")
_ADDRESSES = ("url", "address", "sentinel", "monitor")
_ORDER_FIELDS = (*_MEMBER_FIELDS, "member", "group", "to")
_CALL_FIELDS = ("group", "to")
_WRITTEN = ("place", "number", "value", "position")


def check_unfilled(data: dict[str, Any]) -> Iterator[Finding]:
    """Every placeholder of these keys that would stay as it is."""
    for name, service in _items(data.get("services")):
        path: Path = ("services", name)
        for kind, cluster in _items(service.get("cluster")):
            yield from _cluster((*path, "cluster", kind), kind, cluster)
        yield from _copies(path, service)
    workloads = _table(_table(data.get("prove")).get("workloads"))
    for name, client in _items(workloads):
        path = ("prove", "workloads", name)
        yield from unknown_fields((*path, "addresses"), client.get("addresses"), ())
        for key, request in _items(client):
            for part in ("path", "body"):
                place = (*path, key, part)
                yield from mistyped_fields(place, request.get(part), _WRITTEN)


def _cluster(path: Path, kind: str, cluster: dict[str, Any]) -> Iterator[Finding]:
    for key in _ADDRESSES:
        yield from unknown_fields((*path, key), cluster.get(key), _MEMBER_FIELDS)
    for key in ("topology", "command"):
        yield from mistyped_fields((*path, key), cluster.get(key), _MEMBER_FIELDS)
    for key, call in _items(cluster):
        yield from mistyped_fields((*path, key, "run"), call.get("run"), _ORDER_FIELDS)
        for part in ("path", "body") if key in ("transfer", "canary") else ():
            yield from mistyped_fields((*path, key, part), call.get(part), _CALL_FIELDS)


def _copies(path: Path, service: dict[str, Any]) -> Iterator[Finding]:
    process = _table(service.get("process"))
    ready = _table(process.get("ready")).get("command")
    places: tuple[tuple[Path, Any, tuple[str, ...]], ...] = (
        (("process", "command"), process.get("command"), ("slot",)),
        (("process", "ready", "command"), ready, ("slot",)),
        (("docker", "options"), _table(service.get("docker")).get("options"), ("slot",)),
        (
            ("compose", "environment"),
            _table(service.get("compose")).get("environment"),
            ("slot", "number"),
        ),
    )
    for keys, value, fields in places:
        for finding in mistyped_fields((*path, *keys), value, fields):
            if keys[0] != "process" or not any(mistyped(finding.text)):  # a run file's own rule
                yield finding


def _items(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, item) for name, item in _table(value).items() if isinstance(item, dict))


def _table(value: Any) -> dict[str, Any]:
    return {str(key): one for key, one in value.items()} if isinstance(value, dict) else {}
