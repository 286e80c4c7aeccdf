"""What is asked of Traefik on its API. Nothing can be ordered there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from gapless.clock import Clock
from gapless.drivers.balancers import traefik_view
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer, together
from gapless.drivers.balancers.traefik_view import Process, Service
from gapless.errors import TrafficError

_VERSION = Ask("GET", "/api/version")
_READING = 10.0
"""Seconds that a new process may take to read its files."""
_AGAIN = 0.25
T = TypeVar("T")


class _NotYet(NoAnswer):
    """It may not have read of the service."""


@dataclass(frozen=True, slots=True)
class View:
    """One service as one Traefik process has it. ``young``: the process calls every server UP,
    for its first checks have not been made yet."""

    service: Service
    life: str
    young: bool


class TraefikApi:
    """Every question changes nothing, so it may be asked twice."""

    def __init__(self, host: NodeHost, api: str, service: str, clock: Clock) -> None:
        """``service`` with its provider, as ``shop@file``."""
        self._clock = clock
        self._ask_service = Ask("GET", f"/api/http/services/{quote(service, safe='@')}")
        self._name = service
        self._api = HttpApi(
            host,
            api,
            product="Traefik",
            hint=f"see that traefik runs there with its API at {api}",
        )

    async def view(self) -> View:
        """The service as it is now. Raises NoAnswer, TrafficError."""
        found = await self.found()
        if isinstance(found, View):
            return found
        raise found

    async def found(self) -> View | TrafficError:
        """The same; why there is no such service where there is none. A process that has just begun
        and knows of none is asked again until it must have read of it. Raises NoAnswer for one that
        begins again and again."""
        deadline = self._clock.monotonic() + 2 * _READING
        while True:
            try:
                return await self._found()
            except _NotYet:
                if self._clock.monotonic() >= deadline:
                    raise
            await self._clock.sleep(_AGAIN)

    async def _found(self) -> View | TrafficError:
        asked = [self._api.ask(_VERSION), self._api.ask(self._ask_service)]
        process, answer = await together(asked)
        if process.status == 404:
            raise self._silent(process)
        date = process.headers.get("Date")
        begun = self._read(_VERSION, process, lambda: traefik_view.process(process.json(), date))
        if answer.status == 404:
            return self._absent(answer, begun)
        service = self._read(self._ask_service, answer, lambda: traefik_view.service(answer.json()))
        return View(service, begun.life, _young(service, begun))

    def _silent(self, answer: HttpAnswer) -> NoAnswer:
        """A process that has just begun listens before it has its API: that is silence."""
        what = f"{self._api.product} has no API"
        error = self._api.error(what, _VERSION, answer, "set api: {insecure: true} in traefik.yml")
        return NoAnswer(what, where=error.where, evidence=error.evidence, next=error.next)

    def _absent(self, answer: HttpAnswer, begun: Process) -> TrafficError:
        """And it has its API before it has read its files."""
        what = f"{self._api.product} has no service {self._name}"
        hint = "compare 'service' and 'api' in gapless.yaml with Traefik's configuration"
        error = self._api.error(what, self._ask_service, answer, hint)
        if begun.age > _READING:
            return error
        raise _NotYet(what, where=error.where, evidence=error.evidence, next=error.next)

    def _read(self, ask: Ask, answer: HttpAnswer, reading: Callable[[], T]) -> T:
        if not answer.ok:
            hint = "gapless asks /api/version and /api/http/services without a password"
            raise self._api.error(f"{self._api.product} refuses an answer", ask, answer, hint)
        try:
            return reading()
        except ValueError:
            raise self._api.nonsense(ask, answer) from None


def _young(service: Service, process: Process) -> bool:
    return service.window is not None and process.age < service.window
