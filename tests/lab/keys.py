"""The keys of a lab: one to log in with, one per host to be known by, and the files for ssh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .shell import sh


class Endpoint(NamedTuple):
    """Where a host's sshd listens."""

    name: str
    address: str
    port: int


class Keys:
    """The folder with a lab's ssh files: `id_ed25519`, `known_hosts`, `config`, `host_NAME`."""

    def __init__(self, folder: Path) -> None:
        self.client = folder / "id_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "config"
        self._folder = folder

    def create(self, endpoints: Sequence[Endpoint]) -> None:
        """Make all keys and write the files for these hosts."""
        self._folder.mkdir(mode=0o700)
        _generate(self.client, "gapless lab")
        for endpoint in endpoints:
            _generate(self.host(endpoint.name), endpoint.name)
        self.known_hosts.write_text("".join(map(self._known_host, endpoints)))
        self.config.write_text(self._common() + "".join(map(_host_section, endpoints)))

    def host(self, name: str) -> Path:
        """The private key of a host; its public one has `.pub` behind."""
        return self._folder / f"host_{name}"

    @property
    def authorized(self) -> str:
        """The line for authorized_keys."""
        return self.client.with_suffix(".pub").read_text()

    def _known_host(self, endpoint: Endpoint) -> str:
        names = [endpoint.name, endpoint.address]
        if endpoint.port != 22:
            names = [f"[{name}]:{endpoint.port}" for name in names]
        public = self.host(endpoint.name).with_suffix(".pub").read_text()
        return f"{','.join(names)} {public}"

    def _common(self) -> str:
        # Nothing of the person's own ssh set-up may matter: no agent, no sharing of connections.
        # The key exchange is the fast one: the default costs 70 ms more for each login.
        return f"""\
Host *
  User root
  IdentityFile {self.client}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {self.known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 5
  ControlPath none
  KexAlgorithms curve25519-sha256
  LogLevel ERROR
"""


def _host_section(endpoint: Endpoint) -> str:
    return f"""\
Host {endpoint.name}
  HostName {endpoint.address}
  Port {endpoint.port}
"""


def _generate(path: Path, comment: str) -> None:
    sh(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
