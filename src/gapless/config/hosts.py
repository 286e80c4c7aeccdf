"""``hosts:`` — the machines and how each is reached."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gapless.config.base import Section
from gapless.config.quantities import Duration, Flag, Limit, Names, Port
from gapless.config.variables import Secrets, Variables


class HostConfig(Section):
    """One host, or a range of them (``web[1:4].example``)."""

    address: str | None = None
    """Name or address to connect to; default: the host's name in this file (or what
    ~/.ssh/config says)."""
    transport: Literal["ssh", "local"] = "ssh"
    """``local`` runs on the machine gapless itself runs on."""
    port: Port | None = None
    """SSH port; default: ~/.ssh/config, else 22."""
    user: str | None = None
    """Login name; default: ~/.ssh/config, else yours."""
    key: str | None = None
    """Private key file; default: the agent and ~/.ssh/config."""
    jump: str | None = None
    """Jump host, as ``user@host:port``; default: ProxyJump of ~/.ssh/config."""
    host_key: str | None = None
    """Pinned public host key (``ssh-ed25519 AAAA…``); default: known_hosts. A host that shows
    another key is refused, always."""
    known_hosts: str | None = None
    """Another known_hosts file for this host."""
    sudo: Flag = True
    """Whether ``sudo -n`` is used for privileged commands when the login is not root."""
    groups: Names = ()
    """Names by which services and --hosts select this host."""
    zone: str | None = None
    """Rack or zone. With ``rollout.spread: zone`` never two hosts of one zone are in work for a
    service at the same time."""
    python: str = "python3"
    """Interpreter (3.8 or newer) for the host-side helper and what it runs; a POSIX shell guard
    with fewer verbs is used where there is none."""
    connect_timeout: Limit = 10.0
    """How long a connection may take to be made."""
    reconnect: Duration = 90.0
    """How long a lost host may take to come back (a reboot) before the step counts as lost."""
    variables: Variables = Field(default_factory=dict)
    """Values for templates on this host; they win over those of the project and of groups."""
    secrets: Secrets = Field(default_factory=dict)
    """Secret references that templates on this host find as ``secrets.NAME``."""
    state_dir: str | None = None
    """Where the host keeps locks, fences and its journal; default /var/lib/gapless for root, else
    ~/.local/state/gapless."""

    def __hash__(self) -> int:
        """By how it is reached: variables are mappings, and of those there is no hash."""
        return hash((self.transport, self.address, self.port, self.user, self.state_dir))
