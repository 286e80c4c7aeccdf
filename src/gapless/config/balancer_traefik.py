"""``balancers.NAME.traefik``."""

from __future__ import annotations

from typing import ClassVar

from gapless.config.api_url import ApiUrl
from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Duration, Flag


class TraefikConfig(OnHosts):
    """Traefik, by a file of its file provider and its API."""

    shifts: ClassVar[bool] = True
    member_key: ClassVar[str] = "server"

    file: str
    """File of the dynamic configuration, YAML or JSON. Only ``weight`` of a server is written,
    with ``dynamic`` whole servers; everything else in it stays as it is."""
    service: str
    """Name of the service in it, under ``http.services``."""
    server: str
    """URL of the server as in the file, such as ``http://{address}:3001``; <command fields>
    are filled in."""
    dynamic: Flag = False
    """Whether an instance that has no server gets one when it is admitted, which goes with its
    copy: for containers, whose addresses come and go. Without it none is an error."""
    api: ApiUrl = "http://127.0.0.1:8080"
    """Traefik's API, as the host reaches it."""
    settle: Duration = 5.0
    """How long requests get to end once it is out; Traefik counts none."""
