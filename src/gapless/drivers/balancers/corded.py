"""Containers on the host of a node, found by their addresses, and their cords."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from gapless.drivers import cord
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.errors import TrafficError
from gapless.model import Fence, Instance

T = TypeVar("T")
_RUNNING = Ask("GET", "/containers/json")


@dataclass(frozen=True, slots=True)
class Corded:
    """A container that runs. ``health`` is what the engine says: starting, healthy, unhealthy, ""
    where nobody asks; ``cord``: whether it has one, and ``whole`` whether that is not cut."""

    id: str
    name: str
    health: str
    cord: bool
    whole: bool = False
    service: str = ""
    slot: str = ""
    """Whose copy it is, where its labels say so."""

    def is_of(self, instance: Instance) -> bool:
        """Whether its labels say nothing else."""
        known = (self.service, instance.service), (self.slot, instance.slot)
        return all(not said or not asked or said == asked for said, asked in known)

    @property
    def out(self) -> bool:
        """Whether it is to get nothing, and that shows. One that is sick by itself is not out."""
        return self.cord and not self.whole and self.health != "healthy"

    def __str__(self) -> str:
        cord = (
            ("its cord is whole" if self.whole else "its cord is cut") if self.cord else "no cord"
        )
        return ", ".join((self.name, self.health or "no health check", cord))


class Engine:
    """The container engine of one host, by its socket."""

    def __init__(self, host: NodeHost, socket: str) -> None:
        self._host = host
        self._socket = socket
        self._api = HttpApi(
            host,
            f"unix:{socket}",
            product="the container engine",
            hint=f"see that the engine runs there and listens on {socket}",
        )

    async def at(self, address: str) -> Corded | None:
        """The container with this address; None where none runs. Raises NoAnswer, TrafficError."""
        listed = self._read(
            _RUNNING, await self._api.ask(_RUNNING), lambda json: _at(json, address)
        )
        if listed is None:
            return None
        ask = Ask("GET", f"/containers/{quote(listed)}/json")
        answer = await self._api.ask(ask)
        if answer.status == 404:  # it has ended just now
            return None
        one = self._read(ask, answer, _container)
        return replace(one, whole=await self._whole(one)) if one.cord else one

    async def _whole(self, one: Corded) -> bool:
        """One that was never admitted has no such file."""
        ask = Ask("GET", f"/containers/{quote(one.id)}/archive?path=/{cord.FILE}")
        answer = await self._api.ask(ask)
        if answer.status == 404:
            return False
        return self._read(ask, answer, cord.is_whole, parsed=False)

    async def pull(self, one: Corded, fence: Fence | None, *, whole: bool) -> None:
        """Its cord is cut, or whole again. Harmless to repeat."""
        path = f"/containers/{quote(one.id)}/archive?path=/"
        archive = cord.archive(whole=whole)
        ask = Ask("PUT", path, headers={"Content-Type": "application/x-tar"}, raw=archive)
        answer = await self._api.ask(ask, fence)
        if answer.status == 404:  # nothing is sent to what is not there
            return
        if not answer.ok:
            hint = "a container with read_only: true can have no cord"
            raise self._api.error(f"the cord of {one.name} cannot be changed", ask, answer, hint)

    def _read(
        self, ask: Ask, answer: HttpAnswer, reading: Callable[[Any], T], *, parsed: bool = True
    ) -> T:
        if not answer.ok:
            hint = f"see that {self._socket} is that of a container engine"
            raise self._api.error(f"{self._api.product} refuses an answer", ask, answer, hint)
        try:
            return reading(answer.json() if parsed else answer.body)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._api.nonsense(ask, answer) from None


def _at(listed: Any, address: str) -> str | None:
    for one in listed:
        networks = one["NetworkSettings"]["Networks"] or {}
        if address in (network["IPAddress"] for network in networks.values()):
            return str(one["Id"])
    return None


def _container(one: Any) -> Corded:
    labels = one["Config"]["Labels"] or {}
    health = (one["State"].get("Health") or {}).get("Status", "")
    return Corded(
        str(one["Id"]),
        str(one["Name"]).lstrip("/"),
        "" if health == "none" else str(health),
        cord.LABEL in labels,
        service=str(labels.get("gapless.service", "")),
        slot=str(labels.get("gapless.slot", "")),
    )


def moved(balancer: str, one: Corded, instance: Instance) -> TrafficError:
    """Why nothing is done about it."""
    return TrafficError(
        f"at {instance.address} is {one.name} now: the engine has given {instance} another address",
        where=balancer,
        evidence=f"{one}; by its labels it is copy {one.slot or '?'} of {one.service}",
        next=f"gapless status {instance.service}",
    )


def uncorded(balancer: str, one: Corded) -> TrafficError:
    """Why it cannot be taken out."""
    return TrafficError(
        f"{one.name} has no cord: nothing can take it out of traffic",
        where=balancer,
        evidence=str(one),
        next="a deploy makes a container that has one",
    )
