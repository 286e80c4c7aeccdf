"""``state.json``: what the orchestrator says is true. Only it writes the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapless.handover.environment import PROTOCOL

PHASES = ("done", "standby", "joint", "draining")


@dataclass(frozen=True)
class Place:
    """A copy, as ``state.json`` names it."""

    id: str
    epoch: int


@dataclass(frozen=True)
class StateFile:
    """What it says; keys that nobody knows are left out."""

    phase: str
    active: Place | None
    next: Place | None
    latest: int
    lock: bool
    skew_ms: int
    horizon_ms: int


@dataclass(frozen=True)
class Reading:
    """What came of reading it."""

    state: StateFile | None
    """None where the file is missing or says nothing that can be used."""
    problem: str = ""


def read(folder: Path) -> Reading:
    """Never raises: whatever is wrong is a problem in words."""
    path = folder / "state.json"
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Reading(None)
    except OSError as error:
        return Reading(None, f"state.json cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        return Reading(None, f"state.json is no JSON: {error}")
    try:
        return Reading(_parsed(said))
    except _Strange as strange:
        return Reading(None, f"state.json: {strange}")


class _Strange(Exception):
    pass


def _parsed(said: Any) -> StateFile:
    if not isinstance(said, dict):
        raise _Strange("is no object")
    if said.get("protocol") != PROTOCOL:
        raise _Strange(f"protocol is {said.get('protocol')!r} and not {PROTOCOL}")
    if said.get("phase") not in PHASES:
        raise _Strange(f"phase is {said.get('phase')!r}")
    active, following = _place(said, "active"), _place(said, "next")
    highest = max(place.epoch if place else 0 for place in (active, following))
    return StateFile(
        phase=said["phase"],
        active=active,
        next=following,
        latest=max(_integer(said, "latest", highest), highest),
        lock=_truth(said, "lock"),
        skew_ms=_integer(said, "skew_ms", 2000),
        horizon_ms=_integer(said, "horizon_ms", 900_000),
    )


def _place(said: dict[str, Any], key: str) -> Place | None:
    value = said.get(key)
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise _Strange(f"{key} is no copy")
    return Place(value["id"], _integer(value, "epoch", None))


def _integer(said: dict[str, Any], key: str, default: int | None) -> int:
    value = said.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Strange(f"{key} is {value!r}")
    return value


def _truth(said: dict[str, Any], key: str) -> bool:
    value = said.get(key, True)
    if not isinstance(value, bool):
        raise _Strange(f"{key} is {value!r}")
    return value
