"""What is asked of one member of etcd, and the one thing that can be ordered there.

1. Three questions, one after the other: its status, its list of members, its metrics for the start
   of its process. It answers all of them alone, so none needs a majority.
2. With a login the token of ``/v3/auth/authenticate`` goes with each; one that the member does not
   know (any more) is got anew, once.
3. Leadership is handed over by ``transfer-leadership``, which the leader alone carries out. To say
   it twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gapless.config.cluster_etcd import EtcdClusterConfig
from gapless.config.secrets import resolve_secret
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters import etcd_view
from gapless.drivers.clusters.etcd_sight import Sight
from gapless.drivers.clusters.etcd_view import Listed, Status, decimal
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, UsageError
from gapless.model import Fence

_METRICS = Ask("GET", "/metrics", headers={"Accept": "text/plain"})
_STATUS = "/v3/maintenance/status"
_LIST = "/v3/cluster/member/list"
_TRANSFER = "/v3/maintenance/transfer-leadership"
_LOGIN = "/v3/auth/authenticate"
_UNAUTHENTICATED = 16
_DENIED = 7
_STRANGER = "user name"
"""In etcd's words for somebody who does not say who he is; its code is that of a bad request."""
T = TypeVar("T")


class AuthRefused(ClusterError):
    """The member does not let us in, or not do this."""


class EtcdApi:
    """The member on one host; ``url`` is filled in."""

    def __init__(
        self,
        cluster: str,
        host: str,
        url: str,
        config: EtcdClusterConfig,
        transport: Callable[[], Transport],
    ) -> None:
        self.host = host
        self._url = url
        self._cluster = cluster
        self._login = config.login
        self._token = ""
        self._api = MemberApi(
            cluster,
            host,
            transport,
            url,
            product="etcd",
            hint=f"etcdctl --endpoints {url} endpoint health",
            tls=config.tls,
            timeout=config.timeout,
        )

    async def look(self) -> Sight:
        """All that it tells. Never raises for a member that is silent or answers nonsense."""
        sight = Sight(self.host, self._url)
        try:
            status = await self._status()
            sight = replace(sight, status=status)
            if not status.learner:  # which refuses to tell of the others
                sight = replace(sight, listed=await self._listed())
            return replace(sight, began=await self._began())
        except ClusterError as error:
            return _failed(sight, error)

    async def look_again(self, sight: Sight) -> Sight:
        """The sight with the status of now."""
        try:
            return replace(sight, status=await self._status())
        except ClusterError as error:
            return _failed(replace(sight, status=None), error)

    async def transfer(self, target: str, fence: Fence | None) -> None:
        """Tell it, the leader, to hand over to a member. Raises Silent, AuthRefused, ClusterError
        with etcd's own words, FenceRefused."""
        await self._call(_TRANSFER, {"targetID": decimal(target)}, lambda _: None, fence)

    async def _status(self) -> Status:
        return await self._call(_STATUS, {}, etcd_view.status)

    async def _listed(self) -> dict[str, Listed]:
        return await self._call(_LIST, {}, etcd_view.listed)

    async def _began(self) -> str:
        """ "" where its metrics do not say."""
        answer = await self._api.ask(_METRICS)
        return etcd_view.began(answer.body.decode("utf-8", "replace")) if answer.ok else ""

    async def _call(
        self,
        path: str,
        data: Mapping[str, Any],
        reading: Callable[[Any], T],
        fence: Fence | None = None,
    ) -> T:
        if self._login is not None and not self._token:
            self._token = await self._authenticate()
        ask, answer = await self._once(path, data, fence)
        if self._login is not None and _code(answer) == _UNAUTHENTICATED:
            self._token = await self._authenticate()
            ask, answer = await self._once(path, data, fence)
        if not answer.ok:
            raise self._refusal(ask, answer)
        return self._api.read(ask, answer, reading)

    async def _once(
        self, path: str, data: Mapping[str, Any], fence: Fence | None
    ) -> tuple[Ask, HttpAnswer]:
        headers = {"Authorization": self._token} if self._token else {}
        ask = Ask("POST", path, data, headers)
        return ask, await self._api.ask(ask, fence)

    async def _authenticate(self) -> str:
        """A token for the user. The answer to a question with a password is shown to nobody."""
        assert self._login is not None
        user = self._login.user
        try:
            password = (await resolve_secret(self._login.password)).reveal()
        except UsageError as error:
            raise ClusterError(error.what, where=self._cluster, next=error.next) from None
        ask = Ask("POST", _LOGIN, {"name": user, "password": password})
        answer = await self._api.ask(ask)
        try:
            return str(answer.json()["token"])
        except (ValueError, KeyError, TypeError):
            what = f"{self._api.product} does not let in the user {user!r}"
            hint = "etcdctl auth status; etcdctl user get"
            raise self._shut(what, ask, answer.status, hint) from None

    def _refusal(self, ask: Ask, answer: HttpAnswer) -> ClusterError:
        """etcd's own words."""
        message = _message(answer)
        what = f"{self._api.product} refuses: {message}"
        if _code(answer) in (_UNAUTHENTICATED, _DENIED) or _STRANGER in message:
            return self._shut(what, ask, answer, "set 'login' of the cluster in gapless.yaml")
        if answer.status == 404:
            return self._api.error(
                f"{self._api.product} has no {ask.path}", ask, answer, "gapless needs etcd >= 3.4"
            )
        return self._api.error(what, ask, answer, "etcdctl endpoint status --cluster -w table")

    def _shut(self, what: str, ask: Ask, answer: object, hint: str) -> AuthRefused:
        error = self._api.error(what, ask, answer, hint)
        return AuthRefused(what, where=error.where, evidence=error.evidence, next=error.next)


def _failed(sight: Sight, error: ClusterError) -> Sight:
    return replace(
        sight,
        why=error.what,
        evidence=error.evidence,
        refused=isinstance(error, AuthRefused),
        next=error.next,
    )


def _refusal_of(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(answer: HttpAnswer) -> str:
    found = _refusal_of(answer)
    return str(found.get("message") or found.get("error") or answer)


def _code(answer: HttpAnswer) -> int | None:
    """gRPC's code of a refusal."""
    return None if answer.ok else _refusal_of(answer).get("code")
