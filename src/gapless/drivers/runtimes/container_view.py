"""What an engine says of containers, read into our words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gapless.drivers.runtimes.base import NOT_FOUND
from gapless.errors import HostFault
from gapless.model import Completed, InstanceState, Observation
from gapless.supervisor.spec import SLOTS

COMPOSE = "com.docker.compose."
SERVICE, SLOT, GENERATION = "gapless.service", "gapless.slot", "gapless.generation"
NUMBER, BESIDE = "gapless.number", "gapless.beside"
PROJECT, SETTINGS = "gapless.project", "gapless.settings"
COPIED = "gapless.copied"
_KILLED = 128 + 9
"""Status of what SIGKILL ended."""
_HOOK = "docker-rollout.pre-stop-hook"
_STATES: Mapping[str, InstanceState] = {
    "running": InstanceState.RUNNING,
    "restarting": InstanceState.FAILED,
    "created": InstanceState.STOPPED,
    "removing": InstanceState.STOPPING,
    "dead": InstanceState.FAILED,
}
"""A paused one is neither up nor down: nobody knows what its owner means."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container, in any state. ``image`` is an id, ``image_name`` what it was asked for by."""

    id: str
    name: str
    status: str
    exit: int
    error: str
    started: str
    restarts: int
    image: str
    image_name: str
    labels: Mapping[str, str]
    addresses: Mapping[str, str]
    stop_timeout: int | None
    auto_remove: bool
    volumes: Sequence[str]

    @property
    def slot(self) -> str:
        """The slot that it was made for; "" of one that we did not make."""
        return self.labels.get(SLOT, "")

    @property
    def generation(self) -> int:
        """One more with each copy; 0 of one that we did not make."""
        number = self.labels.get(GENERATION, "")
        return int(number) if number.isdigit() else 0

    @property
    def place(self) -> int:
        """Which of the instances on its host it is a copy of; 0 of one that does not say."""
        number = self.labels.get(NUMBER, "")
        return int(number) if number.isdigit() else 0

    @property
    def ordinal(self) -> int:
        """The number that compose gave it."""
        number = self.labels.get(f"{COMPOSE}container-number", "")
        return int(number) if number.isdigit() else 0

    @property
    def template(self) -> bool:
        """Whether compose created it for us, and it was never started."""
        return self.status == "created" and not self.slot

    @property
    def state(self) -> InstanceState:
        """One that ended with 0 was stopped, any other failed."""
        if self.status == "exited":
            return InstanceState.FAILED if self.exit else InstanceState.STOPPED
        return _STATES.get(self.status, InstanceState.UNKNOWN)

    @property
    def hook(self) -> tuple[str, ...]:
        """What it wants to have run in it before it is stopped."""
        line = self.labels.get(_HOOK, "")
        return ("sh", "-c", line) if line else ()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.state is InstanceState.RUNNING


@dataclass(frozen=True, slots=True)
class Sight:
    """The containers of an instance, or of all there are of a service on a host, and the ids that
    names of images mean now. ``strangers`` are of no instance."""

    containers: tuple[Container, ...]
    images: Mapping[str, str]
    strangers: tuple[Container, ...] = ()

    @property
    def copies(self) -> tuple[Container, ...]:
        """Those that are somebody's; a template is nobody's."""
        return tuple(one for one in self.containers if not one.template)

    @property
    def generation(self) -> int:
        """The next one's."""
        return 1 + max((one.generation for one in self.copies), default=0)

    def in_slots(self) -> Mapping[str, Container]:
        """The copy in each slot. One that we did not make is in the first that is free."""
        placed: dict[str, Container] = {}
        for one in sorted(self.copies, key=_first):
            free = next((slot for slot in SLOTS if slot not in placed), "")
            slot = one.slot or free
            if slot:
                placed.setdefault(slot, one)
        return placed


def _first(one: Container) -> tuple[bool, bool, str]:
    """Ours before others, those that run before those that ended."""
    return not one.slot, not one.running, one.started


def read(done: Completed, where: str) -> dict[str, Any]:
    """The answer of a question. Raises HostFault for one that failed."""
    if not done.ok:
        *more, told = done.evidence().splitlines() or [f"it ended with status {done.status}"]
        raise HostFault(told, where=where, evidence="\n".join(more))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def sight(told: Mapping[str, Any]) -> Sight:
    """From the answer of ``look``."""
    return Sight(tuple(Container(**one) for one in told["containers"]), told["images"])


def observation(one: Container | None, reach: str, images: Mapping[str, str]) -> Observation:
    """State and identity of a copy; ``images`` as of what is seen."""
    if one is None:
        return Observation(InstanceState.MISSING, detail={"LoadState": NOT_FOUND})
    return Observation(
        one.state,
        identity=f"{one.id[:12]} {one.started}",
        since=_moment(one.started),
        restarts=one.restarts,
        detail={
            "status": words(one),
            "container": one.name,
            "image": image(one.image_name, one.image, images),
            **_address(one, reach),
        },
    )


def image(name: str, identity: str, images: Mapping[str, str]) -> str:
    """An image for a person: by its name as long as that means it, else with its id as well."""
    short = identity.removeprefix("sha256:")[:12]
    named = name.partition("@")[0].removeprefix("sha256:")
    return named if not short or images.get(name) == identity else f"{named}@{short}"


def words(one: Container) -> str:
    """Its state as a person knows it."""
    ended = f" with status {one.exit}" if one.status == "exited" else ""
    ended += " (killed)" if ended and one.exit == _KILLED else ""
    return f"{one.name} is {one.status}{ended}" + (f": {one.error}" if one.error else "")


def names(containers: Iterable[Container]) -> str:
    """For people."""
    return ", ".join(one.name for one in containers)


def _address(one: Container, reach: str) -> Mapping[str, str]:
    address = next(filter(None, one.addresses.values()), "")
    return {"address": address} if reach == "container" and address else {}


def _moment(started: str) -> float | None:
    """Seconds since the epoch; the engine writes nanoseconds, and the year 1 for never."""
    if started.startswith("0001-"):
        return None
    return datetime.fromisoformat(f"{started[:19]}+00:00").timestamp()
