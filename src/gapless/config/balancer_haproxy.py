"""``balancers.NAME.haproxy``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from gapless.config.balancer_kind import OnHosts
from gapless.config.base import Section
from gapless.config.quantities import Flag


class HaproxyDynamicConfig(Section):
    """Servers that are not in haproxy.cfg: added when they are missing, also after a reload that
    lost them. Needs HAProxy 2.6 or newer and a backend with a dynamic algorithm (roundrobin,
    leastconn)."""

    address: str
    """Address of a server, ``{address}:3001``; <command fields> are filled in."""
    options: Annotated[str, Field(pattern=r"^[^;\r\n]*$")] = "check inter 1s fall 3 rise 2"
    """What follows the address in ``add server``; default-server of haproxy.cfg does not apply."""


class HaproxyConfig(OnHosts):
    """HAProxy's runtime API on one or several nodes."""

    shifts: ClassVar[bool] = True
    member_key: ClassVar[str] = "server"

    socket: str
    """Admin socket: a path on the node, or ``host:port``."""
    backend: str
    """Backend with one server line per instance."""
    server: str = "{name}"
    """Server name in the backend; <command fields> are filled in."""
    shutdown_sessions: Flag = False
    """Whether connections left at the drain limit are cut by HAProxy."""
    dynamic: HaproxyDynamicConfig | None = None
    """Add servers that are not there; without it they are an error."""
