"""What systemd says about a unit, read into our words."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime

from gapless.drivers.runtimes.stop_time import LEFT, STOPPED
from gapless.drivers.runtimes.systemd_handover import is_ours
from gapless.model import InstanceState, Observation

PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "InvocationID", "MainPID",
    "ActiveEnterTimestamp", "StateChangeTimestampMonotonic", "FragmentPath", "DropInPaths",
    "NeedDaemonReload", "Type", "TimeoutStartUSec", "TimeoutStopUSec", "CanReload", "Job",
    "WorkingDirectory", "ExecMainStatus", "UnitFileState", "Requires", "BindsTo", "Requisite",
    "ExecStart", "RootDirectory", LEFT, STOPPED,
)  # fmt: skip
"""Everything that is ever asked of the unit itself, in one question."""

NO_LIMIT = 600.0
"""Seconds granted to a unit that sets itself no limit (``infinity``): ten minutes is longer than
any start a person would wait for, and an action without any end could never be settled."""

_STATES: Mapping[str, InstanceState] = {
    "active": InstanceState.RUNNING,
    "reloading": InstanceState.RUNNING,
    "refreshing": InstanceState.RUNNING,
    "activating": InstanceState.STARTING,
    "deactivating": InstanceState.STOPPING,
    "inactive": InstanceState.STOPPED,
    "failed": InstanceState.FAILED,
}

_CANNOT_START = ("not-found", "masked", "error", "bad-setting")

_SHOWN = (
    "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "InvocationID", "MainPID",
    "StateChangeTimestampMonotonic", "FragmentPath", "WorkingDirectory", "Type", "ExecMainStatus",
    "NeedDaemonReload", "UnitFileState", LEFT, STOPPED,
)  # fmt: skip

_SPAN_UNITS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
    "month": 2629800.0, "y": 31557600.0,
}  # fmt: skip


def observation(shown: Mapping[str, str]) -> Observation:
    """State and identity from a unit's properties."""
    return Observation(
        state(shown),
        identity=shown.get("InvocationID", ""),
        since=moment(shown.get("ActiveEnterTimestamp", "")),
        restarts=_number(shown.get("NRestarts")),
        main_pid=_number(shown.get("MainPID")) or None,
        detail={name: shown[name] for name in _SHOWN if shown.get(name)},
    )


def state(shown: Mapping[str, str]) -> InstanceState:
    """The state; a unit between a crash and its automatic restart has failed, whatever systemd
    calls it ("activating"), one that is reloading runs, and one that cannot be loaded is missing
    unless it still runs."""
    active = shown.get("ActiveState", "")
    if active in ("inactive", "failed") and shown.get("LoadState") in _CANNOT_START:
        return InstanceState.MISSING
    if crashed(shown):
        return InstanceState.FAILED
    return _STATES.get(active, InstanceState.UNKNOWN)


def crashed(shown: Mapping[str, str]) -> bool:
    """Whether it waits for its automatic restart."""
    return shown.get("SubState", "").startswith("auto-restart")


def words(shown: Mapping[str, str]) -> str:
    """The state as a person knows it from ``systemctl status``: ``failed (failed), result
    exit-code``."""
    result = shown.get("Result", "success")
    text = f"{shown.get('ActiveState', 'unknown')} ({shown.get('SubState', '?')})"
    return text if result in ("", "success") else f"{text}, result {result}"


def units(text: str) -> tuple[str, ...]:
    """Names from a list as ``systemctl show`` prints it: one with a backslash (the slice of a
    template unit, ``system-shop\\x2dapi.slice``) stands in quotes, its backslashes doubled."""
    return tuple(shlex.split(text))


def fragments(shown: Mapping[str, str]) -> tuple[str, ...]:
    """The unit file and its drop-ins, but for those that are ours and belong to one copy."""
    paths = [shown.get("FragmentPath", ""), *shown.get("DropInPaths", "").split()]
    return tuple(path for path in paths if path and not is_ours(path))


def span(text: str) -> float:
    """Seconds from a time span as systemd prints it: ``1min 30s``, ``500ms``, ``infinity``."""
    if text == "infinity":
        return math.inf
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text)
    return sum(float(number) * _SPAN_UNITS.get(unit, 0.0) for number, unit in parts)


def limit(shown: Mapping[str, str], name: str) -> float:
    """A limit the unit sets itself (``TimeoutStopUSec``); never without an end."""
    return min(span(shown.get(name, "")), NO_LIMIT)


def moment(text: str) -> float | None:
    """Seconds since the epoch from a timestamp of ``systemctl show``; None when there is none, or
    when it is told in a time zone whose abbreviation says nothing certain."""
    if text.startswith("@"):
        return float(text[1:])
    match = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (UTC|GMT)$", text)
    if match is None:
        return None
    return datetime.strptime(match.group(1), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
