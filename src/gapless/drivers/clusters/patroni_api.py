"""What is asked of one member of Patroni, and the one thing that can be ordered there.

1. Four questions, one after the other: its own status, the cluster, what all go by, and the past.
   To ask needs no login; only an order does.
2. A switchover is ordered of the leader, with the candidate's name. Patroni answers when it has
   seen the candidate lead (200), or why not. 202 is a promise for later, so it is a refusal here.
   To say it twice does no harm: the second one names a leader that leads no more.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from gapless.config.cluster_patroni import PatroniConfig
from gapless.config.secrets import resolve_secret
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters import patroni_view
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.clusters.patroni_sight import Sight
from gapless.drivers.clusters.patroni_view import Status
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, UsageError
from gapless.hostside.veil import veil
from gapless.model import Fence

_DONE = 200
_SCHEDULED = 202
_SHUT = (401, 403)
_PATIENCE = 120.0
"""Seconds; Patroni looks for the new leader twice as long as its loop takes, and longer. Whoever
orders ends it earlier."""
T = TypeVar("T")


class PatroniApi:
    """The member on one host; ``url`` is filled in."""

    def __init__(
        self,
        cluster: str,
        host: str,
        url: str,
        config: PatroniConfig,
        transport: Callable[[], Transport],
    ) -> None:
        self.host = host
        self.url = url
        self._cluster = cluster
        self._login = config.login

        def api(timeout: float) -> MemberApi:
            return MemberApi(
                cluster,
                host,
                transport,
                url,
                product="Patroni",
                hint=f"curl {url}/patroni on {host}",
                tls=config.tls,
                timeout=timeout,
            )

        self._questions, self._orders = api(config.timeout), api(_PATIENCE)

    async def look(self) -> Sight:
        """All that it tells. Never raises for a member that is silent or answers nonsense."""
        sight = Sight(self.host, self.url)
        try:
            sight = replace(sight, status=await self._status())
            sight = replace(sight, view=await self._told("/cluster", patroni_view.view))
            sight = replace(sight, settings=await self._told("/config", patroni_view.settings))
            return replace(sight, past=await self._told("/history", patroni_view.past))
        except ClusterError as error:
            return _failed(sight, error)

    async def look_again(self, sight: Sight) -> Sight:
        """The sight with the status of now."""
        try:
            return replace(sight, status=await self._status())
        except ClusterError as error:
            return _failed(replace(sight, status=None), error)

    async def switch(self, leader: str, candidate: str, fence: Fence | None) -> None:
        """Have it, the leader, make way for the candidate. Raises Silent, ClusterError with
        Patroni's own words, FenceRefused."""
        headers, hidden = await self._authorized()
        ask = Ask("POST", "/switchover", {"leader": leader, "candidate": candidate}, headers)
        answer = await self._orders.ask(ask, fence)
        answer = replace(answer, body=veil(answer.body, hidden))
        if answer.status != _DONE:
            raise self._refusal(ask, answer)

    async def _status(self) -> Status:
        return await self._told("/patroni", patroni_view.status, dated=True)

    async def _told(self, path: str, reading: Callable[..., T], *, dated: bool = False) -> T:
        ask = Ask("GET", path)
        answer = await self._questions.ask(ask)
        if not answer.ok:
            raise self._refusal(ask, answer)
        date = (answer.headers.get("date") or "",) if dated else ()

        def read(data: Any) -> T:
            return reading(data, *date)

        return self._questions.read(ask, answer, read)

    async def _authorized(self) -> tuple[dict[str, str], tuple[bytes, ...]]:
        """The header of the login, and what of it nobody may see."""
        if self._login is None:
            return {}, ()
        try:
            password = (await resolve_secret(self._login.password)).reveal()
        except UsageError as error:
            raise ClusterError(error.what, where=self._cluster, next=error.next) from None
        known = base64.b64encode(f"{self._login.user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {known}"}, secret_forms((password, known))

    def _refusal(self, ask: Ask, answer: HttpAnswer) -> ClusterError:
        """Patroni's own words."""
        said = answer.body.decode("utf-8", "replace").strip() or f"status {answer.status}"
        product = self._questions.product
        if answer.status in _SHUT:
            hint = "set 'login' of the cluster in gapless.yaml, and see restapi.allowlist"
            return self._questions.error(f"{product} does not let us in: {said}", ask, answer, hint)
        if answer.status == _SCHEDULED:
            said = f"it is only scheduled: {said}"
        return self._questions.error(
            f"{product} refuses: {said}", ask, answer, f"patronictl list; the log of {self.host}"
        )


def _failed(sight: Sight, error: ClusterError) -> Sight:
    return replace(sight, why=error.what, evidence=error.evidence, next=error.next)
