"""The whole of gapless.yaml."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from gapless.config.balancers import BalancerConfig
from gapless.config.base import Section
from gapless.config.health import Status
from gapless.config.hosts import HostConfig
from gapless.config.quantities import Argv, Limit, Names, Secret, SecretUrl
from gapless.config.services import DefaultsConfig, ServiceConfig
from gapless.config.variables import HostGroupConfig, Secrets, Variables
from gapless.config.workload import WorkloadConfig

SINK_KINDS = ("jsonl", "compat", "command", "webhook", "prometheus_textfile")
"""Keys of ``events``, one for each kind of receiver."""


class WebhookConfig(Section):
    """POSTs each event as JSON, signed."""

    url: SecretUrl
    """Where events are sent; a secret reference where the address itself is a password."""
    secret: Secret | None = None
    """Key of the HMAC-SHA256 signature header."""
    timeout: Limit = 10.0
    """Limit of one request."""


class SinkConfig(Section):
    """Where events go besides the journal. Exactly one kind; ``types`` narrows."""

    jsonl: str | None = None
    """File that gets every event as a line."""
    compat: str | None = None
    """File in the older five-type form (SERVICE_RESTART_START …)."""
    command: Argv | None = None
    """Program that gets the event on its standard input."""
    webhook: WebhookConfig | None = None
    """URL that gets each event."""
    prometheus_textfile: Annotated[str, Field(pattern=r"\.prom$")] | None = None
    """File of metrics for node_exporter's textfile collector, which reads those that end in .prom.
    It takes all types."""
    types: Names = ()
    """Event types or prefixes (``rollout.``); default: all."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(bool(getattr(self, kind)) for kind in SINK_KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(SINK_KINDS)}")
        if self.prometheus_textfile and self.types:
            raise ValueError("types: metrics are counted from all of them; leave it out")
        return self


class ProveConfig(Section):
    """What ``--prove`` sends during the change."""

    url: str | None = None
    """Address at the front door that is asked."""
    command: Argv | None = None
    """Program that asks once and exits 0 when it was answered."""
    rate: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """Requests per second; half on new connections, half kept alive."""
    timeout: Limit = 5.0
    """Limit of one request; longer is a failure."""
    expect: Status = "2xx"
    """Which HTTP status codes are wanted."""
    workloads: dict[str, WorkloadConfig] = Field(default_factory=dict)
    """Clients of clusters, by the name of the service. A cluster that is not named here has one,
    too, with all defaults."""

    @property
    def asks(self) -> bool:
        """Whether requests are sent to a front door."""
        return self.url is not None or self.command is not None

    @model_validator(mode="after")
    def _one_probe(self) -> Self:
        if self.url is not None and self.command is not None:
            raise ValueError("give url or command, not both")
        if not self.asks and not self.workloads:
            raise ValueError("give one of url, command, or workloads for clusters")
        return self


class ProjectConfig(Section):
    """gapless.yaml after overlays and defaults."""

    project: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """Name under which hosts and journal keep what belongs together."""
    environment: str | None = None
    """Set by -e; not written by hand."""
    hosts: dict[str, HostConfig]
    """Machines, or ranges of them (``web[1:4].example``), and how each is reached."""
    defaults: DefaultsConfig = DefaultsConfig()
    """What services fall back to when they do not say it themselves."""
    groups: dict[str, HostGroupConfig] = Field(default_factory=dict)
    """Variables and secrets that the hosts of a group have in common, by group."""
    variables: Variables = Field(default_factory=dict)
    """Values that templates are filled with; groups, hosts and services may say other ones."""
    secrets: Secrets = Field(default_factory=dict)
    """Secret references that templates find as ``secrets.NAME``."""
    balancers: dict[str, BalancerConfig] = Field(default_factory=dict)
    """What sends traffic to instances, by name."""
    services: dict[str, ServiceConfig]
    """What is restarted and deployed, by name."""
    events: tuple[SinkConfig, ...] = ()
    """Where events go besides the journal."""
    prove: ProveConfig | None = None
    """What --prove asks during the change, to measure the gap."""
