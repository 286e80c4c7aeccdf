"""Keys of a cluster of RabbitMQ."""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.base import Section
from gapless.config.quantities import Argv, Limit, Secret


class RabbitLoginConfig(Section):
    """A user of RabbitMQ with the tag ``monitoring``."""

    user: str
    """Name of the user."""
    password: Secret
    """Where the password is read from."""


class RabbitClusterConfig(Section):
    """RabbitMQ from 3.10 on with the management plugin: asked over the management API of each node,
    and told by its own command line, both on the node's own host."""

    url: ApiUrl = "http://127.0.0.1:15672"
    """Management API of a node as its own host reaches it; ``{host}``, ``{name}`` and ``{address}``
    are those of that host."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https address."""
    login: RabbitLoginConfig
    """Who asks."""
    command: Argv = ()
    """What goes before ``rabbitmqctl`` and ``rabbitmq-upgrade``, filled in as above: ``docker exec
    rabbitmq``, or ``env NAME=VALUE`` for what they need of an environment."""
    timeout: Limit = 10.0
    """Limit of each question."""
