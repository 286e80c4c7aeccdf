"""What Consul says of the instances of a service, read into facts. No side effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SERVICE_MAINTENANCE = "_service_maintenance:"
_NODE_MAINTENANCE = "_node_maintenance"
_WORST_FIRST = ("critical", "warning", "passing")


class NonsenseError(ValueError):
    """The answer is not what Consul answers."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an instance, or of the node it is on. ``index`` is that of its last change."""

    id: str
    name: str
    status: str
    says: str
    index: int = 0

    def __str__(self) -> str:
        said = " ".join(self.says.split())
        return f"{self.name}: {self.status}{f' ({said[:120]})' if said else ''}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered instance as all of Consul's clients are told of it."""

    node: str
    id: str
    checks: tuple[Check, ...]

    @property
    def maintenance(self) -> Check | None:
        """The check that keeps it out by order, None when there is none."""
        return next((c for c in self.checks if c.id == f"{_SERVICE_MAINTENANCE}{self.id}"), None)

    @property
    def out(self) -> Check | None:
        """The check that says it, or all of its node, was ordered out; None when it is in."""
        node = (check for check in self.checks if check.id == _NODE_MAINTENANCE)
        return self.maintenance or next(node, None)

    @property
    def status(self) -> str:
        """The worst of its checks; an instance without any is passing."""
        said = {check.status for check in self.checks}
        return next((status for status in _WORST_FIRST if status in said), "passing")

    @property
    def up(self) -> bool:
        """Whether Consul gives it to clients: DNS answers with those in warning as well."""
        return not self.out and self.status in ("passing", "warning")

    def __str__(self) -> str:
        bad = [str(check) for check in self.checks if check.status != "passing"]
        return f"{self.id} on {self.node} {', '.join([self.status, *bad])}"


def node_name(data: Any) -> str:
    """The agent's own node in what it says of itself. Raises NonsenseError."""
    try:
        return str(data["Config"]["NodeName"])
    except (KeyError, TypeError):
        raise NonsenseError from None


def entries(data: Any) -> tuple[Entry, ...]:
    """The instances of a service. Raises NonsenseError."""
    if not isinstance(data, list):
        raise NonsenseError
    try:
        return tuple(_entry(one) for one in data)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def _entry(one: Mapping[str, Any]) -> Entry:
    return Entry(
        str(one["Node"]["Node"]), str(one["Service"]["ID"]), tuple(map(_check, one["Checks"]))
    )


def _check(one: Mapping[str, Any]) -> Check:
    status = str(one["Status"])
    if status not in _WORST_FIRST:
        raise KeyError(status)
    return Check(
        str(one["CheckID"]),
        str(one.get("Name") or one["CheckID"]),
        status,
        str(one.get("Output") or one.get("Notes") or ""),
        int(one.get("ModifyIndex") or 0),
    )


def known(found: Sequence[Entry]) -> str:
    """What there is, for an error."""
    return ", ".join(f"{entry.id} on {entry.node}" for entry in found) or "none"
