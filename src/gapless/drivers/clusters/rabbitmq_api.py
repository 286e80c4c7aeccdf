"""The management API of one node of RabbitMQ: pages, one after the other, nothing ordered."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from gapless.config.cluster_rabbitmq import RabbitClusterConfig
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.clusters import rabbitmq_view
from gapless.drivers.clusters.member_api import MemberApi
from gapless.drivers.clusters.password import Password
from gapless.drivers.clusters.rabbitmq_sight import Sight
from gapless.drivers.clusters.rabbitmq_view import STREAM, Node
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError
from gapless.hostside.veil import veil

_WHO = "/api/overview?columns=node,rabbitmq_version"
_NODES = "/api/nodes?columns=name,running,being_drained,os_pid,uptime,partitions"
_QUEUES = (
    "/api/queues?disable_stats=true&columns=name,vhost,type,leader,members,online,node,"
    "slave_nodes,synchronised_slave_nodes,durable,exclusive"
)
_STREAMS = "/api/queues?columns=name,vhost,type,members,online"
_TOTALS = "/api/queues?disable_stats=true&enable_queue_totals=true&columns=name,vhost,messages"
_ALARMS = "/api/health/checks/alarms"
_CRITICAL = "/api/health/checks/node-is-quorum-critical"
_NOT_WELL = 503
"""Of a health check: an answer, too, with the reason."""
_SHUT = (401, 403)
T = TypeVar("T")


class RabbitApi:
    """The node on one host; ``url`` is filled in."""

    def __init__(
        self,
        cluster: str,
        host: str,
        url: str,
        config: RabbitClusterConfig,
        transport: Callable[[], Transport],
    ) -> None:
        self.host = host
        self._password = Password(cluster, config.login.user, config.login.password)
        self._api = MemberApi(
            cluster,
            host,
            transport,
            url,
            product="RabbitMQ",
            hint=f"curl {url}/api/overview on {host}; rabbitmq-diagnostics status",
            tls=config.tls,
            timeout=config.timeout,
        )

    async def look(self) -> Sight:
        """All that it tells. Never raises for a node that is silent or answers nonsense."""
        try:
            return Sight(self.host, await self._node())
        except ClusterError as error:
            return Sight(self.host, None, error.what, error.evidence, error.next)

    async def messages(self) -> dict[str, int]:
        """By queue, counted now. Raises Silent, ClusterError."""
        return (await self._page(_TOTALS, rabbitmq_view.messages))[0]

    async def _node(self) -> Node:
        (name, version), _ = await self._page(_WHO, rabbitmq_view.who)
        peers, date = await self._page(_NODES, rabbitmq_view.peers)
        queues, _ = await self._page(_QUEUES, rabbitmq_view.queues)
        if any(queue.kind == STREAM for queue in queues.values()):
            told, _ = await self._page(_STREAMS, rabbitmq_view.queues)
            queues |= {one: told[one] for one in queues if one in told and told[one].kind == STREAM}
        alarms, _ = await self._page(_ALARMS, rabbitmq_view.alarms)
        critical, _ = await self._page(_CRITICAL, rabbitmq_view.critical)
        return Node(name, version, peers, queues, alarms, critical, date)

    async def _page(self, path: str, reading: Callable[[Any], T]) -> tuple[T, float]:
        """What it says, and when by its own clock."""
        user, password = await self._password.login()
        known = base64.b64encode(f"{user}:{password}".encode()).decode()
        ask = Ask("GET", path, headers={"Authorization": f"Basic {known}"})
        answer = await self._api.ask(ask)
        answer = replace(answer, body=veil(answer.body, secret_forms((password, known))))
        if answer.status in _SHUT:
            self._password.forget()
            what = f"{self._api.product} does not let in the user {user!r}"
            hint = "set 'login' of the cluster in gapless.yaml; rabbitmqctl set_user_tags USER"
            raise self._api.error(what, ask, answer, f"{hint} monitoring")
        if not answer.ok and answer.status != _NOT_WELL:
            what = f"{self._api.product} refuses {path.partition('?')[0]}"
            raise self._api.error(what, ask, answer, "gapless needs RabbitMQ >= 3.10")
        return self._api.read(ask, answer, reading), _date(answer)


def _date(answer: HttpAnswer) -> float:
    try:
        return parsedate_to_datetime(answer.headers.get("date") or "").timestamp()
    except ValueError:
        return 0.0
