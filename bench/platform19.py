"""A platform of 19 services with the dependencies a real one has, and start times drawn once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from gapless.config.project import ProjectConfig

HOSTS = ("h1", "h2", "h3")

# name: (what it starts after, how many of the hosts run it)
AFTER: dict[str, tuple[tuple[str, ...], int]] = {
    # infrastructure
    "database": ((), 1),
    "cache": ((), 1),
    "queue": ((), 3),
    "objects": ((), 1),
    "search": ((), 3),
    "metrics": ((), 1),
    # core
    "auth": (("database", "cache"), 2),
    "users": (("database", "auth"), 2),
    "api": (("users", "queue", "search"), 3),
    "worker": (("database", "queue", "objects"), 2),
    # machine learning
    "features": (("database", "objects"), 2),
    "embeddings": (("objects", "cache"), 2),
    "ranker": (("features", "embeddings"), 2),
    "recommender": (("ranker", "search"), 2),
    "moderation": (("embeddings", "queue"), 1),
    # features
    "feed": (("api", "recommender"), 3),
    "chat": (("api", "moderation"), 2),
    "notifications": (("worker", "api"), 1),
    "dashboard": (("api", "metrics"), 1),
}

_INFRASTRUCTURE, _CORE, _LEARNING = 6, 10, 15
_SECONDS = {"infrastructure": (2, 12), "core": (1, 6), "learning": (15, 90), "feature": (1, 8)}


@dataclass(frozen=True)
class Platform:
    """Start times in seconds per service."""

    starts: dict[str, float]

    @property
    def config(self) -> ProjectConfig:
        """gapless.yaml for the simulated hosts."""
        services = {name: self._service(name) for name in AFTER}
        return ProjectConfig.model_validate(
            {"project": "platform", "hosts": {h: {} for h in HOSTS}, "services": services}
        )

    def _service(self, name: str) -> dict[str, Any]:
        return {
            "on": list(hosts_of(name)),
            "systemd": f"{name}.service",
            "after": list(AFTER[name][0]),
            "soak": "3s",
            "health": {"http": f"http://{{address}}:{port_of(name)}/health", "timeout": "120s"},
        }


def draw(seed: int, scale: float = 1.0) -> Platform:
    """The platform of a seed; always the same."""
    chance = random.Random(seed)
    return Platform(
        {
            name: round(scale * chance.uniform(*_SECONDS[_kind(position)]), 3)
            for position, name in enumerate(AFTER)
        }
    )


def hosts_of(name: str) -> tuple[str, ...]:
    """Which hosts run a service."""
    return HOSTS[: AFTER[name][1]]


def port_of(name: str) -> int:
    """Where it answers."""
    return 8000 + list(AFTER).index(name)


def critical_path(seconds: dict[str, float]) -> tuple[float, tuple[str, ...]]:
    """The longest chain: its seconds and its services."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name, (before, _) in AFTER.items():  # written in dependency order
        longest = max((best[b] for b in before), default=(0.0, ()))
        best[name] = (longest[0] + seconds[name], (*longest[1], name))
    return max(best.values())


def _kind(position: int) -> str:
    if position < _INFRASTRUCTURE:
        return "infrastructure"
    if position < _CORE:
        return "core"
    return "learning" if position < _LEARNING else "feature"
