"""Keys of a cluster of Kafka brokers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from gapless.config.base import Section
from gapless.config.cluster_redis import Address
from gapless.config.quantities import Limit, Secret


class KafkaTlsConfig(Section):
    """Whom a listener with TLS is believed to be, and who asks. Paths are on the machine gapless
    runs on."""

    ca: str = ""
    """Certificates that vouch for it; default: those of the system."""
    cert: str = ""
    """Own certificate, where it wants one."""
    key: str = ""
    """Key of ``cert``; default: in the same file."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.key and not self.cert:
            raise ValueError("a key without a cert proves nothing; give both")
        return self


class KafkaLoginConfig(Section):
    """A user of Kafka. PLAIN sends the password as it is: only over TLS nobody else reads it."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How it logs in."""
    user: str
    """Name of the user."""
    password: Secret
    """Where the password is read from."""


class KafkaConfig(Section):
    """Kafka in KRaft mode, from 3.3 on. Brokers are asked from the machine gapless runs on, each at
    its own listener; needs ``pip install 'gapless[kafka]'``."""

    address: Address = "{address}:9092"
    """Listener of a broker as the machine gapless runs on reaches it; ``{host}``, ``{name}`` and
    ``{address}`` are those of the broker's host."""
    tls: KafkaTlsConfig | None = None
    """For a listener with TLS; {} for all defaults."""
    sasl: KafkaLoginConfig | None = None
    """For a listener that wants a login."""
    timeout: Limit = 5.0
    """Limit of each question."""

    @field_validator("address")
    @classmethod
    def _dialled(cls, value: str) -> str:
        if "/" in value:
            raise ValueError(f"{value!r} is a path; write host:port")
        return value
