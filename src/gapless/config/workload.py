"""``prove.workloads`` — the clients of clusters that ``--prove`` runs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gapless.config.api_url import ApiTlsConfig
from gapless.config.base import Section
from gapless.config.cluster_http import UrlPath
from gapless.config.quantities import Limit, Names, Secret


class WorkloadWriteConfig(Section):
    """The request that writes a value; done when the answer is 2xx."""

    path: UrlPath
    """With its query; here and in body ``{place}``, ``{number}`` and ``{value}`` stand for what is
    written where."""
    method: Literal["POST", "PUT"] = "POST"
    """What is done there."""
    body: str = "{value}"
    """Sent as it is."""
    position: str = ""
    """Field of the answer that tells where the value is, as ``offset``; read has it as
    ``{position}``."""


class WorkloadReadConfig(Section):
    """The request that reads a value; it is there when the answer is 2xx and holds it."""

    path: UrlPath
    """With its query; ``{place}``, ``{number}``, ``{value}`` and ``{position}`` stand for what was
    written where."""


class WorkloadRemoveConfig(Section):
    """The request that removes all that was written; without it that stays."""

    path: UrlPath
    """With its query; ``{place}`` stands for where all of it is."""
    method: Literal["POST", "PUT", "DELETE"] = "DELETE"
    """What is done there."""


class WorkloadConfig(Section):
    """The client of one cluster, by the name of its service: it connects from where gapless runs,
    writes numbered values, reads them, and at the end reads all that were acknowledged."""

    addresses: Names = ()
    """Where clients reach the members from where gapless runs: URLs for etcd, Chronik and http,
    host:port for the others (for Redis with Sentinel those of the sentinels). Default: what
    ``cluster`` says, a loopback address of another host replaced by that host's."""
    tls: ApiTlsConfig | None = None
    """For https addresses, and for Redis, NATS, RabbitMQ, ZooKeeper and Kafka that speak TLS to
    their clients ({} for all defaults); paths are on the machine gapless runs on. Default: what
    ``cluster`` says."""
    user: str = ""
    """User of the client. Default: what ``cluster`` says; for PostgreSQL the one of libpq."""
    password: Secret | None = None
    """Where the user's password is read from."""
    database: str = "postgres"
    """Database of PostgreSQL."""
    place: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")] = "gapless-prove"
    """Begins the name of where it writes: keys of etcd and Redis, a table of PostgreSQL, a stream
    of NATS, a queue of RabbitMQ, a node of ZooKeeper, a topic of Kafka. It is removed at the
    end."""
    rate: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """Operations per second, half of them writes."""
    budget: Limit = 2.0
    """How long one operation may be tried again; longer is a failure."""
    write: WorkloadWriteConfig | None = None
    """How Chronik, http, or command is written to."""
    read: WorkloadReadConfig | None = None
    """How it is read."""
    remove: WorkloadRemoveConfig | None = None
    """How what was written is removed."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.write is None) != (self.read is None):
            raise ValueError("write and read: give both, or neither")
        if self.remove is not None and self.write is None:
            raise ValueError("remove: nothing is written without write and read")
        return self
