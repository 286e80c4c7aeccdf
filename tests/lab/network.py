"""Cutting a host's network, while its processes still reach themselves.

All hosts share the machine's loopback device, so dropping what goes to or comes from an address
is not enough: a connection a host opens itself comes from 127.0.0.1. What comes *from* a host is
known by its cgroup. A connection from the host to its own address is marked and let through, as
a real machine without network still reaches its own loopback.
"""

from __future__ import annotations

from contextlib import suppress

from .cgroup import Cgroup
from .shell import LabError, sh


class Cut:
    """The firewall rules that part one host from everybody else, in a chain of their own."""

    def __init__(self, chain: str, number: int, address: str, cgroup: Cgroup) -> None:
        self._chain = chain
        self._mark = f"{number:#x}"
        self._address = address
        self._cgroup = cgroup

    def make(self) -> None:
        """Cut: new connections time out, open ones fall silent, both ways; no reset is sent."""
        if self._exists():
            return
        from_host = ("-m", "cgroup", "--path", self._cgroup.name)
        own = ("-m", "connmark", "--mark", self._mark)
        _iptables("-N", self._chain)
        self._rule(*own, "-j", "ACCEPT")
        self._rule(*from_host, "-d", self._address, "-j", "CONNMARK", "--set-mark", self._mark)
        self._rule(*own, "-j", "ACCEPT")
        self._rule(*from_host, "-j", "DROP")
        self._rule("-d", self._address, "-j", "DROP")
        _iptables("-I", "OUTPUT", "-o", "lo", "-j", self._chain)

    def heal(self) -> None:
        """Undo the cut; nothing happens if there is none."""
        if not self._exists():
            return
        with suppress(LabError):  # we may have been killed before it was put in
            _iptables("-D", "OUTPUT", "-o", "lo", "-j", self._chain)
        _iptables("-F", self._chain)
        _iptables("-X", self._chain)

    def _exists(self) -> bool:
        try:
            _iptables("-S", self._chain)
        except LabError:
            return False
        return True

    def _rule(self, *rule: str) -> None:
        _iptables("-A", self._chain, *rule)


def _iptables(*arguments: str) -> str:
    return sh(["iptables", "--wait", *arguments])
