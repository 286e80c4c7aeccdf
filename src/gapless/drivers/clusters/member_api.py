"""An HTTP API of one member of a cluster, asked from the host that the member runs on.

1. It is asked as a balancer's is: one exchange of bytes through the transport, with a limit, said
   once more after a lost connection. So only what does no harm twice may be asked.
2. What goes wrong is told as an error of the cluster. Silence is told apart: the member, or its
   host, did not answer, and may come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import NO_HEADERS, Ask, HttpApi
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.transports.base import Transport
from gapless.errors import ClusterError, TrafficError
from gapless.model import Fence

T = TypeVar("T")
_NO_TLS = ApiTlsConfig()


class Silent(ClusterError):
    """A member could not be asked; while it is waited for it may come back."""


class MemberApi:
    """``cluster`` is the name that errors carry, ``product`` what answers there, ``hint`` what to
    do when it does not, beside looking at ``key`` of the cluster, which has its URL; ``secrets``:
    header name to secret reference; ``timeout`` seconds bound one exchange."""

    def __init__(
        self,
        cluster: str,
        host: str,
        transport: Callable[[], Transport],
        url: str,
        *,
        product: str,
        hint: str,
        key: str = "url",
        tls: ApiTlsConfig = _NO_TLS,
        secrets: Mapping[str, str] = NO_HEADERS,
        timeout: float = 5.0,
    ) -> None:
        node = NodeHost(cluster, host, transport)
        hint = f"{hint}; compare '{key}' of the cluster in gapless.yaml"
        self._api = HttpApi(
            node, url, product=product, hint=hint, tls=tls, secrets=secrets, timeout=timeout
        )

    @property
    def product(self) -> str:
        """What answers, and where, for people."""
        return self._api.product

    async def ask(self, ask: Ask, fence: Fence | None = None) -> HttpAnswer:
        """The answer, whatever its status. Raises Silent, ClusterError for what is not HTTP, and
        FenceRefused."""
        try:
            return await self._api.ask(ask, fence)
        except NoAnswer as error:
            raise Silent(
                error.what, where=error.where, evidence=error.evidence, next=error.next
            ) from error
        except TrafficError as error:
            raise _of_the_cluster(error) from error

    def read(self, ask: Ask, answer: HttpAnswer, reading: Callable[[Any], T]) -> T:
        """What ``reading`` makes of the JSON in an answer. Raises ClusterError where it raises
        ValueError, and for what is no JSON."""
        try:
            return reading(answer.json())
        except ValueError:
            raise _of_the_cluster(self._api.nonsense(ask, answer)) from None

    def error(self, what: str, ask: Ask, answer: object, hint: str) -> ClusterError:
        """An error with the question and the answer as its evidence."""
        return _of_the_cluster(self._api.error(what, ask, answer, hint))


def _of_the_cluster(error: TrafficError) -> ClusterError:
    return ClusterError(error.what, where=error.where, evidence=error.evidence, next=error.next)
