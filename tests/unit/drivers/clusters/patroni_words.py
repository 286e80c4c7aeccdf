"""Answers of Patroni, and what hosts showed, made up after those of 3.0.2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gapless.drivers.clusters import patroni_view
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_sight import Sight

NAMES = ("pg1", "pg2", "pg3")
PLACES = {f"db{name[-1]}": name for name in NAMES}
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
NOW = 1795348800
SYSTEM = "7575000000000000001"


def said(member: str, leader: str = "pg1", **more: Any) -> dict[str, Any]:
    """Its status."""
    leads = member == leader
    others = [name for name in NAMES if name != member]
    xlog = {"received_location": 5000, "replayed_location": 5000, "paused": False}
    answer = {
        "state": "running",
        "postmaster_start_time": f"2026-11-22 10:0{member[-1]}:00.000000+00:00",
        "role": "master" if leads else "replica",
        "server_version": 150014,
        "xlog": {"location": 5000} if leads else {**xlog, "replayed_timestamp": None},
        "timeline": 2,
        **({"replication": streaming(*others)} if leads else {}),
        "dcs_last_seen": NOW - 1,
        "database_system_identifier": SYSTEM,
        "patroni": {"version": "3.0.2", "scope": "shop"},
    }
    return {**answer, **more}


def streaming(*names: str, state: str = "streaming") -> list[dict[str, Any]]:
    """Who streams from a member."""
    return [
        {"usename": "replicator", "application_name": name, "state": state, "sync_state": "async"}
        for name in names
    ]


def listing(
    leader: str = "pg1", names: tuple[str, ...] = NAMES, of: Any = None, **more: Any
) -> dict[str, Any]:
    """The cluster; ``of``: what is different, by name."""
    members = []
    for name in names:
        one = {
            "name": name,
            "role": "leader" if name == leader else "replica",
            "state": "running",
            "api_url": f"http://db{name[-1]}:8008/patroni",
            "host": f"db{name[-1]}",
            "port": 5432,
            "timeline": 2,
            **({} if name == leader else {"lag": 0}),
        }
        members.append({**one, **(of or {}).get(name, {})})
    return {"members": members, **more}


CONFIG: dict[str, Any] = {"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
HISTORY = [[1, 67108992, "no recovery target specified", "2026-11-22T10:00:00+00:00", "pg1"]]


def sight(
    member: str,
    leader: str = "pg1",
    *,
    view: Any = None,
    config: Any = None,
    history: Any = HISTORY,
    **more: Any,
) -> Sight:
    """A member that answers on the host of its number; all are listed unless something else is."""
    host = f"db{member[-1]}"
    return Sight(
        host,
        f"http://{host}:8008",
        patroni_view.status(said(member, leader, **more), DATE),
        patroni_view.view(listing(leader) if view is None else view),
        patroni_view.settings(CONFIG if config is None else config),
        patroni_view.past(history),
    )


def silent(host: str) -> Sight:
    """Nobody answers there."""
    return Sight(
        host,
        f"http://{host}:8008",
        why=f"Patroni on {host} does not answer",
        evidence="refused",
        next="curl it",
    )


def round_of(*sights: Sight, lag: int = 1000, places: dict[str, str] | None = None) -> Round:
    """All of it in one round."""
    bare = Round(sights, lag, PLACES if places is None else places)
    return replace(bare, mark=bare.head.location if bare.head is not None else None)
