"""Keys of a cluster of NATS with JetStream."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.base import Section
from gapless.config.cluster_redis import Address
from gapless.config.quantities import Count, Limit, Secret


class NatsLoginConfig(Section):
    """A user of NATS."""

    user: str
    """Name of the user."""
    password: Secret
    """Where the password is read from."""


class NatsClusterConfig(Section):
    """NATS with JetStream, from 2.9 on: asked over the monitoring port of each server, and told
    over its client port, both from the server's own host."""

    monitor: ApiUrl = "http://127.0.0.1:8222"
    """Monitoring address of a server as its own host reaches it; ``{host}``, ``{name}`` and
    ``{address}`` are those of that host."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For a monitoring address with https."""
    address: Address = "127.0.0.1:4222"
    """Client address of a server as its own host reaches it; filled in as above."""
    client_tls: ApiTlsConfig | None = None
    """For client ports that speak TLS; {} for all defaults."""
    handshake_first: bool = False
    """Whether TLS begins there before anything is said, as ``handshake_first: true`` of the servers
    has it."""
    system: NatsLoginConfig | None = None
    """A user of the system account: who leads the meta group can be told to hand over. Without one
    it hands over when it is told to stop."""
    accounts: dict[str, NatsLoginConfig] = Field(default_factory=dict)
    """A user for each account that has streams; ``$G``, the account of a NATS without accounts,
    needs none where nobody has to log in."""
    lag: Count = 20
    """How many entries a replica may be behind and still counts as caught up."""
    timeout: Limit = 5.0
    """Limit of each question."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.handshake_first and self.client_tls is None:
            raise ValueError("handshake_first: nothing begins with TLS without client_tls")
        return self
