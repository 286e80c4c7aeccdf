"""What a compose project says of one service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gapless.drivers.runtimes.container_source import Written
from gapless.drivers.runtimes.container_view import COMPOSE


@dataclass(frozen=True, slots=True)
class ComposeWritten(Written):
    """What a project says of a service; the hash is compose's own. ``copied``: where secrets and
    configs are that no file holds; ``healthcheck``: it has one besides its image's."""

    hashed = f"{COMPOSE}config-hash"
    hints = MappingProxyType(
        {
            "ports": "in the project ports: ['${WEB_PORT:-8081}:…'], here environment:"
            " {WEB_PORT: '{slot:8081|8082}'}",
            "network": "a network of the project",
            "static": "no ipv4_address",
        }
    )
    name: str
    build: bool
    replicas: int
    copied: Sequence[str]
    read_only: bool
    healthcheck: bool
    hooks: bool

    @classmethod
    def nothing(cls, name: str) -> ComposeWritten:
        """Of a project that is not there yet."""
        return cls("", "", "", (), (), "", (), name, False, 1, (), False, False, False)

    @property
    def at_start(self) -> bool:
        """Whether compose does anything to a container besides starting it."""
        return self.hooks or bool(self.copied)

    def called(self, volume: str) -> str:
        """Compose puts the name of the project before that of a volume."""
        return volume if volume.startswith("/") else f"{self.name}_{volume}"
