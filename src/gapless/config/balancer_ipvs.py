"""``balancers.NAME.ipvs``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Count, Flag, Limit

Weight = Annotated[Count, Field(ge=1, le=65535)]


class IpvsConfig(OnHosts):
    """IPVS (LVS) in the kernel of one or several nodes, through ``ipvsadm``."""

    member_key: ClassVar[str] = "server"

    service: Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:\[\]]+$")]
    """Virtual service: ``10.0.0.1:80``, ``[fd00::1]:80``, or the number of a firewall mark."""
    protocol: Literal["tcp", "udp", "fwmark"] = "tcp"
    """What kind of virtual service it is."""
    server: str
    """Real server of an instance as ipvsadm -n prints it, ``{address}:8080``; <command fields>
    are filled in."""
    weight: Weight = 1
    """Weight that an admit gives back: a drain is weight 0."""
    weights: dict[str, Weight] = Field(default_factory=dict)
    """The same by host, where it is another."""
    closing: Flag = False
    """Whether connections that are being closed (InActConn) count as open, too. They are kept for
    two minutes; with udp they always count."""
    program: str = "ipvsadm"
    """The program."""
    timeout: Limit = 10.0
    """Limit of each command."""
