"""``balancers.NAME.traefik_labels``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from gapless.config.api_url import ApiUrl
from gapless.config.balancer_kind import BalancerKind
from gapless.config.quantities import Duration


class TraefikLabelsConfig(BalancerKind):
    """Traefik that finds containers by their labels (its docker provider), each on its own host. A
    container is taken out by its health; it needs ``cord`` of the service for that."""

    member_key: ClassVar[str] = "server"

    service: str
    """Name of the service in Traefik, without ``@docker``: with compose that is SERVICE-PROJECT,
    unless a label names it."""
    server: str
    """URL of a container as Traefik's API has it, such as ``http://{address}:8080``; <command
    fields> are filled in."""
    api: ApiUrl | None = None
    """Traefik's API, as the host of the containers reaches it. Without one nothing shows who gets
    traffic: ``settle`` is all there is."""
    settle: Duration = 5.0
    """How long requests get to end once it is out; without ``api`` also how long Traefik gets to
    learn of a change."""
    socket: Annotated[str, Field(pattern=r"^/")] = "/run/docker.sock"
    """The engine's socket on the hosts."""
