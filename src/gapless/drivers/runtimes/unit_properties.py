"""What ``systemctl show`` says, read into facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from gapless.model import InstanceState, Observation

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "InvocationID",
    "MainPID",
    "ActiveEnterTimestamp",
    "StateChangeTimestampMonotonic",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "Type",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
    "CanReload",
    "Requires",
    "Requisite",
    "BindsTo",
    "UnitFileState",
    "ExecMainStatus",
)

NO_LIMIT = 600.0
"""Seconds waited for a unit whose own start or stop limit is infinite."""

_STATES = {
    "active": InstanceState.RUNNING,
    "reloading": InstanceState.RUNNING,
    "activating": InstanceState.STARTING,
    "deactivating": InstanceState.STOPPING,
    "inactive": InstanceState.STOPPED,
    "failed": InstanceState.FAILED,
}
_SPANS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def observation(properties: Mapping[str, str]) -> Observation:
    """The state and identity a unit's properties tell."""
    return Observation(
        state=_state(properties),
        identity=properties.get("InvocationID", ""),
        since=_moment(properties.get("ActiveEnterTimestamp", "")),
        restarts=_number(properties.get("NRestarts", "")),
        main_pid=_number(properties.get("MainPID", "")) or None,
        detail=dict(properties),
    )


def _state(properties: Mapping[str, str]) -> InstanceState:
    if properties.get("LoadState") in ("not-found", "masked", "error", "bad-setting"):
        return InstanceState.MISSING
    if properties.get("SubState") == "auto-restart":
        # "activating" between two crashes: a loop must not pass for a slow start
        return InstanceState.FAILED
    return _STATES.get(properties.get("ActiveState", ""), InstanceState.UNKNOWN)


def fragments(properties: Mapping[str, str]) -> tuple[str, ...]:
    """The unit file and all of its drop-ins, in the order systemd reads them."""
    paths = [properties.get("FragmentPath", ""), *properties.get("DropInPaths", "").split()]
    return tuple(path for path in paths if path)


def seconds(span: str) -> float:
    """A time span as systemd writes it (``1min 30s``, ``infinity``), in seconds."""
    if span == "infinity" or not span:
        return NO_LIMIT
    parts = re.findall(r"([\d.]+)\s*(us|ms|min|s|h|d)", span)
    return sum(float(number) * _SPANS[unit] for number, unit in parts) if parts else NO_LIMIT


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _moment(text: str) -> float | None:
    """``Sat 2026-11-21 06:29:51 UTC``; other zones are not guessed at."""
    try:
        moment = datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()
