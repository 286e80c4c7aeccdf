"""Users of the host: who logged in, and what a command needs to run as one of them."""

from __future__ import annotations

import os
import pwd
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def login_user() -> str:
    """Who logged in, also when sudo made us root."""
    return os.environ.get("SUDO_USER") or user_name(os.getuid())


def user_name(uid: int) -> str:
    """Name of a user id, the number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_me(name: str) -> bool:
    """Whether we run as this user already."""
    return name == user_name(os.geteuid())


def environment_of(name: str) -> dict[str, str]:
    """The variables that belong to a user. Raises KeyError when there is no such user."""
    entry = pwd.getpwnam(name)
    return {
        "HOME": entry.pw_dir,
        "USER": name,
        "LOGNAME": name,
        "SHELL": entry.pw_shell or "/bin/sh",
    }


def drop_options(name: str) -> dict[str, Any]:
    """Popen options to run as another user, with all groups of that user."""
    entry = pwd.getpwnam(name)
    groups = os.getgrouplist(name, entry.pw_gid)
    if sys.version_info >= (3, 9):
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}

    def drop() -> None:
        os.setgroups(groups)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    return {"preexec_fn": drop}
