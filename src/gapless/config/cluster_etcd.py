"""Keys of a cluster of etcd."""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.balancer_etcd import EtcdLoginConfig
from gapless.config.base import Section
from gapless.config.quantities import Count, Limit


class EtcdClusterConfig(Section):
    """etcd from 3.4 on, asked over the JSON gateway of each member, from the member's own host."""

    url: ApiUrl = "http://127.0.0.1:2379"
    """Client address of a member as its own host reaches it; ``{host}``, ``{name}`` and
    ``{address}`` are those of that host."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https address."""
    login: EtcdLoginConfig | None = None
    """For an etcd with users; ``root`` or one that may ask for the status."""
    lag: Count = 10
    """How many applied entries a member may be behind and still counts as caught up."""
    timeout: Limit = 5.0
    """Limit of each question."""
