"""Where clients reach the members of a cluster from where gapless runs. No side effects.

1. What ``prove.workloads`` says.
2. Else what ``cluster`` says, filled in for each host. That is an address as the member's own host
   reaches it: of a host that is another machine, a loopback address is replaced by the host's.
3. A socket of the file system is reached on this machine only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from gapless.config.filling import fill
from gapless.config.hosts import HostConfig
from gapless.model import Instance

_AUTHORITY = re.compile(r"^(https?://)?(\[[^\]]+\]|[^:/\[\]]+)")


class Addresses:
    """Of the members of one service; ``hosts`` are those that it is on."""

    def __init__(self, service: str, hosts: Iterable[str], known: Mapping[str, HostConfig]) -> None:
        self._service = service
        self._hosts = tuple(hosts)
        self._known = known

    def __call__(self, template: str, hosts: Iterable[str] = ()) -> tuple[str, ...]:
        """One for each host, of these or of all."""
        return tuple(
            self._from_here(fill(template, Instance(self._service, host), self._address), host)
            for host in (tuple(hosts) or self._hosts)
        )

    def count(self) -> int:
        """How many members."""
        return len(self._hosts)

    def _address(self, host: str) -> str:
        return self._known[host].address or host

    def _from_here(self, address: str, host: str) -> str:
        if self._known[host].transport == "local":
            return address
        there = self._address(host)
        shown = f"[{there}]" if ":" in there else there

        def replaced(found: re.Match[str]) -> str:
            return f"{found[1] or ''}{shown if _is_loopback(found[2]) else found[2]}"

        return _AUTHORITY.sub(replaced, address)


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


class Turns:
    """One address after the other: a client stays with a member for as long as that answers."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._at = 0

    @property
    def now(self) -> str:
        """The one to ask."""
        return self._addresses[self._at % len(self._addresses)]

    def leave(self, address: str) -> None:
        """It did not answer; of several that say so at once the first one is enough."""
        if address == self.now:
            self._at += 1

    def __str__(self) -> str:
        return ", ".join(self._addresses)
