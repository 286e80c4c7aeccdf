"""Keys of a cluster of PostgreSQL under Patroni."""

from __future__ import annotations

from pydantic import Field

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.base import Section
from gapless.config.quantities import Count, Limit, Secret


class PatroniLoginConfig(Section):
    """Whom the REST API of Patroni lets order something."""

    user: str
    """``restapi.authentication.username`` of Patroni."""
    password: Secret
    """Where the password is read from."""


class PatroniConfig(Section):
    """PostgreSQL under Patroni from 3.0 on, asked over the REST API of each member, from the
    member's own host."""

    url: ApiUrl = "http://{address}:8008"
    """REST API of a member as its own host reaches it; ``{host}``, ``{name}`` and ``{address}`` are
    those of that host."""
    names: dict[str, str] = Field(default_factory=dict)
    """Names of members by host. Needed only where neither the name nor an address tells which
    member runs on a host: Patroni itself says its name from 4.0 on."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https address."""
    login: PatroniLoginConfig | None = None
    """For a REST API with authentication; to read needs none."""
    lag: Count = 1 << 20
    """Bytes of the log that a replica may have to replay still and counts as caught up."""
    timeout: Limit = 5.0
    """Limit of each question."""
