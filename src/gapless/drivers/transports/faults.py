"""What hosts complain about, as gapless errors with the next command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.errors import (
    DeadlineExceeded,
    FenceRefused,
    HostFault,
    LostContact,
    PrivilegeRefused,
    TransportError,
)

_KINDS: dict[str, type[TransportError]] = {
    "host": HostFault,
    "fence": FenceRefused,
    "deadline": DeadlineExceeded,
    "cancelled": LostContact,
}
_SUDO_REFUSALS = ("sudo:", "is not in the sudoers", "may not run sudo", "not allowed to execute")
_NOT_FOUND = 127


def error_from(host: str, fault: Mapping[str, Any]) -> TransportError:
    """The error for a fault the helper reported."""
    kind = _KINDS.get(str(fault["kind"]), HostFault)
    hint = fault["hint"] or ("gapless status" if kind is FenceRefused else "")
    return kind(fault["what"], where=host, evidence=fault["evidence"], next=hint)


def no_helper(host: str, status: int | None, complaint: str) -> TransportError:
    """Why a helper did not start, from how its process ended."""
    evidence = "\n".join(complaint.strip().splitlines()[-5:])
    if any(words in complaint for words in _SUDO_REFUSALS):
        return privilege_refused(host, evidence)
    if "needs Python 3.8" in complaint:
        return HostFault("its Python is too old", where=host, evidence=evidence, next=_PYTHON_HINT)
    if status in (126, _NOT_FOUND):
        return no_python(host, evidence)
    if status is None:
        return LostContact("the helper was cut off at its start", where=host, evidence=evidence)
    what = f"the helper did not start (exit {status})"
    return HostFault(what, where=host, evidence=evidence or "it said nothing")


_PYTHON_HINT = "install Python 3.8 or newer there, or name it: python: /path/to/python3"


def no_python(host: str, evidence: str) -> HostFault:
    """There is no interpreter for the helper."""
    what = "there is no python3 for the helper"
    return HostFault(what, where=host, evidence=evidence, next=_PYTHON_HINT)


def privilege_refused(host: str, evidence: str, user: str = "") -> PrivilegeRefused:
    """``sudo -n`` was turned down; the least that would let it in."""
    line = f"{user or 'USER'} ALL=(root) NOPASSWD: /usr/bin/python3, /usr/bin/rsync, /bin/sh"
    return PrivilegeRefused(
        "sudo does not let gapless work without a password",
        where=host,
        evidence=evidence,
        next=f"on {host}, as root: echo '{line}' > /etc/sudoers.d/gapless"
        " — or set sudo: false for this host",
    )
