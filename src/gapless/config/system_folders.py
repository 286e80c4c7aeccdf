"""Folders of a host that are nobody's release.

A release has a folder of its own. An in-place copy removes what is in the folder and not in the
release, and older releases are removed beside a link: a slip in ``to:`` would take a system folder,
everybody's homes or gapless's own state with it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

STATE = "/var/lib/gapless"
"""Where a host keeps locks, fences and snapshots when the file does not say."""

_SHARED = frozenset(
    (
        "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32",
        "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/snap", "/srv", "/sys",
        "/tmp", "/usr", "/var",  # noqa: S108 - refused, not used
        "/usr/bin", "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec",
        "/usr/local", "/usr/sbin", "/usr/share", "/usr/src",
        "/usr/local/bin", "/usr/local/etc", "/usr/local/include", "/usr/local/lib",
        "/usr/local/sbin", "/usr/local/share", "/usr/local/src",
        "/var/backups", "/var/cache", "/var/lib", "/var/local", "/var/lock", "/var/log",
        "/var/mail", "/var/opt", "/var/run", "/var/spool", "/var/tmp",  # noqa: S108
        "/etc/ssh", "/lib/systemd", "/usr/lib/systemd",
    )
)  # fmt: skip
"""The top levels of the Filesystem Hierarchy Standard: what is in them has many owners."""

_WHOLE = ("/boot", "/dev", "/proc", "/sys", "/etc/systemd", "/lib/systemd", "/usr/lib/systemd")
"""Here nothing below is a release either."""


def objection(folder: str, state: Iterable[str]) -> str:
    """Why a release cannot go to ``folder``; "" when it can. ``state``: folders that hold the state
    of gapless on hosts."""
    place = _plain(folder)
    if place in _SHARED or any(_holds(root, place) for root in _WHOLE):
        return "is a folder of the system"
    if posixpath.dirname(place) == "/home":
        return "is a user's home"
    for kept in map(_plain, state):
        if _holds(place, kept) or _holds(kept, place):
            return f"holds the state of gapless ({kept})"
    return ""


def _plain(folder: str) -> str:
    """Without ``..``, and without the second slash that POSIX lets stand in front."""
    return posixpath.normpath("/" + folder.lstrip("/"))


def _holds(folder: str, inner: str) -> bool:
    return inner == folder or inner.startswith(f"{folder.rstrip('/')}/")
