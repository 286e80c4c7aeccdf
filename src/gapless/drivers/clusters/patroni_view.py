"""What a member of Patroni says of itself and of its cluster, read into facts. No side effects.

1. ``/patroni`` is what the process there knows of its own PostgreSQL, asked of PostgreSQL itself:
   its positions are of now. ``/cluster`` is what all have written down in the store (DCS), each in
   its own loop: seconds old, so its positions count for nobody who answers himself. With etcd's
   newer API it comes out of a copy, and goes on to come while the store is silent (seen in 3.0.2):
   who leads there alone, and does not say so itself, leads nothing.
2. A replica is known to stream by who feeds it: the list of those that stream from a member has
   their names. Patroni before 3.1 has no other word for it, and calls every replica running.
3. How long ago a member reached the store is told by its own clock, ``Date`` of the same answer:
   no other clock has to agree with it.
4. Roles: the leader is a ``master`` in 3.x, a ``primary`` from 4.0 on.

Source: docs/rest_api.rst, patroni/api.py and patroni/utils.py of Patroni 3.0.2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

RUNNING = "running"
STREAMING = "streaming"
_PRIMARIES = ("master", "primary", "standby_leader")
_LEADERS = ("leader", "standby_leader")
_SYNCHRONOUS = ("sync_standby", "quorum_standby")
_TRUE = ("on", "true", "yes", "1", "quorum")
_LOSES_ITS_LOCK = 30.0
"""Seconds; ``ttl`` of a Patroni that is not told another one."""


class NonsenseError(ValueError):
    """The answer is not what Patroni answers."""


@dataclass(frozen=True, slots=True)
class Status:
    """A member of itself. ``system`` is the identity of the data; ``began`` names the postmaster;
    ``location``: how far it has written, or replayed as a replica, None where PostgreSQL does not
    answer; ``feeds``: who streams from it; ``age``: seconds since it reached the store, None where
    it does not tell."""

    state: str
    role: str
    scope: str
    name: str = ""
    system: str = ""
    began: str = ""
    version: str = ""
    timeline: int | None = None
    location: int | None = None
    streams: bool = False
    feeds: frozenset[str] = frozenset()
    age: float | None = None
    unlocked: bool = False
    failsafe: bool = False
    paused: bool = False
    nofailover: bool = False
    pending: bool = False
    restart: str = ""

    @property
    def primary(self) -> bool:
        """Whether its PostgreSQL takes writes, or leads a cluster of standbys."""
        return self.role in _PRIMARIES


@dataclass(frozen=True, slots=True)
class Listed:
    """A member as the store has it. ``lag`` is None where the store does not know it."""

    name: str
    role: str = ""
    state: str = ""
    url: str = ""
    host: str = ""
    timeline: int | None = None
    lag: int | None = None
    nofailover: bool = False
    restart: str = ""

    @property
    def leads(self) -> bool:
        """Whether it has the lock of the leader."""
        return self.role in _LEADERS

    @property
    def synchronous(self) -> bool:
        """Whether it has whatever was acknowledged."""
        return self.role in _SYNCHRONOUS


@dataclass(frozen=True, slots=True)
class View:
    """The cluster as one member reads it in the store."""

    members: Mapping[str, Listed] = field(default_factory=dict)
    paused: bool = False
    switchover: str = ""

    @property
    def leaders(self) -> tuple[str, ...]:
        """Who leads; one, if all is well."""
        return tuple(one.name for one in self.members.values() if one.leads)


@dataclass(frozen=True, slots=True)
class Settings:
    """What all members go by."""

    synchronous: bool = False
    strict: bool = False
    standbys: int = 1
    """How many have to be synchronous."""
    ttl: float = _LOSES_ITS_LOCK


def status(answer: Any, date: str) -> Status:
    """A member, in its answer to ``/patroni`` of that ``Date``."""
    try:
        about, xlog = answer["patroni"], answer.get("xlog", {})
        return Status(
            state=str(answer["state"]),
            role=str(answer["role"]),
            scope=str(about["scope"]),
            name=str(about.get("name", "")),
            system=str(answer.get("database_system_identifier", "")),
            began=str(answer.get("postmaster_start_time") or ""),
            version=_version(answer, about),
            timeline=_number(answer.get("timeline")),
            location=_number(xlog.get("location", xlog.get("replayed_location"))),
            streams=answer.get("replication_state") == STREAMING,
            feeds=frozenset(
                str(one["application_name"])
                for one in answer.get("replication") or ()
                if one["state"] == STREAMING
            ),
            age=_age(_number(answer.get("dcs_last_seen")), date),
            unlocked=bool(answer.get("cluster_unlocked")),
            failsafe=bool(answer.get("failsafe_mode_is_active")),
            paused=bool(answer.get("pause")),
            nofailover=_nofailover(answer.get("tags")),
            pending=bool(answer.get("pending_restart")),
            restart=_restart(answer),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def view(answer: Any) -> View:
    """The cluster, in an answer to ``/cluster``."""
    try:
        members = [_listed(one) for one in answer["members"]]
        planned = answer.get("scheduled_switchover")
        return View(
            {one.name: one for one in members},
            paused=bool(answer.get("pause")),
            switchover=str(planned["at"]) if planned else "",
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def settings(answer: Any) -> Settings:
    """What members go by, in an answer to ``/config``."""
    try:
        return Settings(
            synchronous=_on(answer.get("synchronous_mode", False)),
            strict=_on(answer.get("synchronous_mode_strict", False)),
            standbys=int(answer.get("synchronous_node_count", 1)),
            ttl=float(answer.get("ttl", _LOSES_ITS_LOCK)),
        )
    except (TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def past(answer: Any) -> int:
    """The last timeline that has ended, in an answer to ``/history``; 0 where none has."""
    try:
        return int(answer[-1][0]) if answer else 0
    except (IndexError, KeyError, TypeError, ValueError):
        raise NonsenseError from None


def _listed(one: Mapping[str, Any]) -> Listed:
    return Listed(
        name=str(one["name"]),
        role=str(one["role"]),
        state=str(one["state"]),
        url=str(one.get("api_url") or ""),
        host=str(one.get("host") or ""),
        timeline=_number(one.get("timeline")),
        lag=None if one.get("lag") == "unknown" else _number(one.get("lag")),
        nofailover=_nofailover(one.get("tags")),
        restart=_restart(one),
    )


def _number(told: Any) -> int | None:
    return None if told is None else int(told)


def _on(told: Any) -> bool:
    return told is True or str(told).lower() in _TRUE


def _nofailover(tags: Any) -> bool:
    tags = tags or {}
    priority = tags.get("failover_priority")
    return bool(tags.get("nofailover")) or (priority is not None and int(priority) <= 0)


def _restart(answer: Mapping[str, Any]) -> str:
    planned = answer.get("scheduled_restart")
    return str(planned.get("schedule", "some time")) if planned else ""


def _age(seen: int | None, date: str) -> float | None:
    if seen is None or not date:
        return None
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - seen)
    except ValueError:
        return None


def _version(answer: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Of PostgreSQL and of Patroni; PostgreSQL's is not told while it does not run."""
    number = _number(answer.get("server_version"))
    postgres = f"{number // 10_000}.{number % 10_000}, " if number else ""
    return f"{postgres}Patroni {about.get('version', '')}".strip()
