"""``balancers.NAME.envoy``."""

from __future__ import annotations

from typing import ClassVar

from gapless.config.api_url import ApiUrl
from gapless.config.balancer_kind import OnHosts
from gapless.config.quantities import Flag


class EnvoyConfig(OnHosts):
    """Envoy, by the file of its endpoints (EDS) and its admin interface."""

    shifts: ClassVar[bool] = True
    member_key: ClassVar[str] = "server"

    file: str
    """File of the endpoints, YAML or JSON, as ``path_config_source`` names it. Only
    ``health_status`` of an endpoint is written, with ``dynamic`` whole endpoints; everything else
    in it stays as it is."""
    cluster: str
    """Name of the cluster whose endpoints they are."""
    server: str
    """Address and port as in the file, such as ``{address}:3001``, or the ``hostname`` of the
    endpoint; <command fields> are filled in."""
    dynamic: Flag = False
    """Whether an instance that has no endpoint gets one when it is admitted, which goes with its
    copy: for containers, whose addresses come and go. Without it none is an error."""
    admin: ApiUrl = "http://127.0.0.1:9901"
    """Admin interface, as the host reaches it."""
