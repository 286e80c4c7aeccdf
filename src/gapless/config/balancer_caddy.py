"""``balancers.NAME.caddy``."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import model_validator

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Flag, Limit

_ID = re.compile(r"[A-Za-z0-9_.:@-]+")
_PATH = re.compile(r"/(id|config)(/[A-Za-z0-9_.:@%~-]+)+")


class CaddyConfig(OnHosts):
    """Caddy's admin API on one or several nodes. Each change is a reload."""

    member_key: ClassVar[str] = "upstream"

    api: ApiUrl = "http://localhost:2019"
    """Admin API as the node itself reaches it."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https API."""
    proxy: str
    """The ``@id`` of the reverse_proxy handler, or its path: ``/config/apps/http/servers/…``."""
    upstream: str
    """``dial`` of an instance's upstream, for example ``{address}:3001``; <command fields> are
    filled in."""
    dynamic: Flag = False
    """Whether an instance that has no upstream gets one when it is admitted, which goes with its
    copy: for containers, whose addresses come and go. Without it none is an error."""
    timeout: Limit = 10.0
    """Limit of each question."""

    @model_validator(mode="after")
    def _a_handler(self) -> Self:
        if not (_ID.fullmatch(self.proxy) or _PATH.fullmatch(self.proxy)):
            raise ValueError(f"proxy: {self.proxy!r} is neither an @id nor a path /config/…")
        return self
