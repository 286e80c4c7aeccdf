"""``balancers.NAME.consul``."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Duration, Limit, Names, Secret


class ConsulConfig(OnHosts):
    """Services in Consul, taken out of it by its maintenance mode."""

    member_key: ClassVar[str] = "id"

    on: Names = ()
    """Hosts on whose agents the instances are registered, all of them on each; default: each on the
    agent of its own host."""
    api: ApiUrl = "http://localhost:8500"
    """HTTP API of the agent, as its host itself reaches it."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https API."""
    token: Secret | None = None
    """Where the ACL token is read from; it needs ``agent:read``, ``node:read`` and
    ``service:write``."""
    service: str = "{service}"
    """Name of the service in Consul. <command fields> are filled in."""
    id: str = "{service}"
    """ID under which an instance is registered at its agent; as above."""
    settle: Duration = 10.0
    """How long clients get to learn that it is out (DNS TTL, caches) and requests to end; nobody
    counts them."""
    timeout: Limit = 10.0
    """Limit of each question."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.service or not self.id:
            raise ValueError("service and id cannot be empty")
        return self

    def member(self, host: str) -> str:
        """An ID means something at its own agent; on hosts of their own no two are the same."""
        return self.id if self.on else f"{self.id} at {host}"
