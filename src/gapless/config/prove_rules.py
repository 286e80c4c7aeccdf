"""Clients of clusters that there cannot be, told on plain data together with all else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gapless.config.problems import did_you_mean
from gapless.config.references import Finding, Path

_DECLARED = ("chronik", "http", "command")
_LOGGED_IN = ("etcd", "redis_sentinel", "redis_cluster", "patroni", "nats", "rabbitmq", "kafka")
_SECURED = ("etcd", "redis_sentinel", "redis_cluster", "nats", "rabbitmq", "zookeeper", "kafka")
_ONLY = {
    "tls": (*_SECURED, *_DECLARED),
    "user": _LOGGED_IN,
    "password": _LOGGED_IN,
    "database": ("patroni",),
    "write": _DECLARED,
    "read": _DECLARED,
    "remove": _DECLARED,
}
"""Keys that not every client has a use for."""
_TOGETHER = {
    "user": ("etcd", "nats", "rabbitmq", "kafka", "redis_sentinel", "redis_cluster"),
    "password": ("etcd", "nats", "rabbitmq", "kafka"),
}
"""Who gives one of these has to give the other: Redis has a password without a user, too, and
PostgreSQL a user without a password."""


def check_workloads(data: dict[str, Any]) -> Iterator[Finding]:
    """Each is that of a service that is a cluster, and has keys of its kind alone."""
    services = _table(data.get("services"))
    for name, client in _table(_table(data.get("prove")).get("workloads")).items():
        path: Path = ("prove", "workloads", name)
        if name not in services:
            yield Finding(path, f"unknown service '{name}'", did_you_mean(name, services))
            continue
        kinds = list(_table(_table(services[name]).get("cluster")))
        if not kinds:
            yield Finding(path, f"'{name}' is no cluster", "url and command ask what is none")
        for key in _table(client):
            if key in _ONLY and kinds and not set(kinds) & set(_ONLY[key]):
                text = f"{key}: a client of {kinds[0]} has no use for it"
                yield Finding((*path, key), text, "leave it out")
        yield from _login(path, kinds, _table(client))
        if "kafka" in kinds and _table(_table(client).get("tls")).get("name"):
            text = "name: a client of kafka expects the name of the address"
            yield Finding((*path, "tls", "name"), text, "leave it out, and give addresses by name")
        if "command" in kinds and "write" in _table(client) and "addresses" not in _table(client):
            text = "write: a client of command needs addresses, too"
            yield Finding((*path, "write"), text, "give URLs of the members")


def _login(path: Path, kinds: list[str], client: dict[str, Any]) -> Iterator[Finding]:
    for key, other in (("user", "password"), ("password", "user")):
        if key in client and other not in client and set(kinds) & set(_TOGETHER[key]):
            yield Finding((*path, key), f"{key}: a client of {kinds[0]} needs {other}, too")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
