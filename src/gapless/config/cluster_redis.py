"""Redis as a cluster whose servers are restarted one after the other: with Sentinel, or as Redis
Cluster."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from gapless.config.api_url import ApiTlsConfig
from gapless.config.base import Section
from gapless.config.quantities import Count, Limit, Names, Secret

_ADDRESS = re.compile(r"unix:/.+|/.+|(\[(?:[0-9A-Fa-f:.]+|\{[a-z]+\})\]|[^:\s\[\]]+):([0-9]{1,5})")


def parse_address(value: Any) -> str:
    """``host:port`` or the path of a unix socket, as the server's own host reaches it."""
    found = _ADDRESS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or (found[2] and not 1 <= int(found[2]) <= 65535):
        raise ValueError(f"{value!r} is no address; write host:port or /path")
    return found[0]


Address = Annotated[
    str,
    BeforeValidator(parse_address),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:6379", "/run/redis/redis.sock"]}),
]
"""Where a server listens, seen from the host that it runs on."""


class RedisConfig(Section):
    """What both kinds share."""

    address: Address = "127.0.0.1:6379"
    """Address of a server as its own host reaches it; ``{host}``, ``{name}`` and ``{address}`` are
    those of that host."""
    user: str = ""
    """User of Redis's access lists; default: the user named ``default``."""
    password: Secret | None = None
    """Where the password is read from."""
    tls: ApiTlsConfig | None = None
    """For servers that speak TLS where ``address`` is; {} for all defaults."""
    lag: Count = 1 << 20
    """Bytes of the replication stream that a replica may be behind and still counts as caught
    up. What is moved is never behind: a master hands over when its replica has got everything."""
    timeout: Limit = 5.0
    """Limit of each question."""


class RedisSentinelConfig(RedisConfig):
    """One master with its replicas, watched by sentinels."""

    master: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    """Name of the master in the sentinels' configuration."""
    sentinels: Names = ()
    """Hosts that run a sentinel, all of them; default: the hosts of the servers."""
    sentinel: Address = "127.0.0.1:26379"
    """Address of a sentinel as its own host reaches it; filled in as above."""
    sentinel_user: str = ""
    """User of the sentinel's access lists, as above."""
    sentinel_password: Secret | None = None
    """Where the sentinel's own password is read from, where it has one."""
    sentinel_tls: ApiTlsConfig | None = None
    """For sentinels that speak TLS; {} for all defaults."""


class RedisClusterConfig(RedisConfig):
    """Redis Cluster: masters that share out the slots, each with its replicas."""
