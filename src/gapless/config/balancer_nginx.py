"""``balancers.NAME.nginx``."""

from __future__ import annotations

from typing import ClassVar

from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Argv, Flag, Limit


class NginxConfig(OnHosts):
    """nginx, by a marked part of a file it includes and a reload."""

    member_key: ClassVar[str] = "server"

    include: str
    """File with the ``server`` lines, between the two lines ``# gapless begin NAME`` and
    ``# gapless end NAME``. Everything else in it stays as it is."""
    upstream: str
    """NAME in those two lines."""
    server: str
    """Address as the server line has it, such as ``{address}:3001``; <command fields> are
    filled in."""
    dynamic: Flag = False
    """Whether an instance that has no server line gets one when it is admitted, which goes with its
    copy: for containers, whose addresses come and go. Without it none is an error."""
    test: Argv = ("nginx", "-t")
    """Refuses a configuration that cannot be loaded; runs before every reload."""
    reload: Argv = ("nginx", "-s", "reload")
    """Makes nginx read its configuration again."""
    pid: str = "/run/nginx.pid"
    """File with the pid of nginx's master process."""
    reload_timeout: Limit = 10.0
    """How long nginx may take to start the workers of a new configuration."""
