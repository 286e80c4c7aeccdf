"""The way to a host over SSH: its jump hosts, and the command by which a person goes it, too.

The command offers what we offer and trusts what we trust. ``-J`` knows neither a key nor a
known_hosts file for the jump host, so where one is given the way there is a command of its own.
"""

from __future__ import annotations

import os.path
import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hop:
    """A jump host; ``before`` are those through which it is reached itself."""

    host: str
    user: str = ""
    port: int | None = None
    before: str = ""

    @classmethod
    def last_of(cls, jump: str) -> Hop:
        """The last one of ``user@host:port,…``."""
        before, _, last = jump.rpartition(",")
        user, _, place = last.rpartition("@")
        host, colon, port = place.partition(":") if place.count(":") < 2 else (place, "", "")
        return cls(host, user, int(port) if colon else None, before)


@dataclass(frozen=True, slots=True)
class Way:
    """What was given for a host. ``name`` is the one ~/.ssh/config is asked about; ``known_hosts``
    "" leaves it to that."""

    name: str
    port: int | None = None
    user: str = ""
    key: str = ""
    jump: str = ""
    known_hosts: str = ""

    def by_hand(self) -> str:
        """For a shell, ready to be copied."""
        return shlex.join(self._argv())

    def _argv(self) -> list[str]:
        port = ["-p", str(self.port)] if self.port else []
        login = f"{self.user}@{self.name}" if self.user else self.name
        return ["ssh", *port, *self._with(), *self._through(), login]

    def _with(self) -> list[str]:
        file = f'"{_file(self.known_hosts)}"'  # else a blank would make two of it
        known = ["-o", f"UserKnownHostsFile={file}"] if self.known_hosts else []
        key = ["-i", _file(self.key), "-o", "IdentitiesOnly=yes"] if self.key else []
        return [*key, *known]

    def _through(self) -> list[str]:
        if not self.jump:
            return []
        if not (self.key or self.known_hosts):
            return ["-J", self.jump]
        hop = Hop.last_of(self.jump)
        there = Way(hop.host, hop.port, hop.user, self.key, hop.before, self.known_hosts)
        program, *rest = there._argv()
        words = shlex.join(rest).replace("%", "%%")  # ssh fills in its own, here and nowhere else
        return ["-o", f"ProxyCommand={program} -W '[%h]:%p' {words}"]


def _file(path: str) -> str:
    return os.path.expanduser(path)  # noqa: PTH111 - ~nobody stays as it is
