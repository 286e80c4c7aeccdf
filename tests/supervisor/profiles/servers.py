"""The real servers: Python's are in our environment, the others as the system has them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SYSTEM = {
    "nginx": ("nginx", "nginx-light"),
    "node": ("node", "nodejs"),
    "php-fpm": ("php-fpm*", "php-fpm"),
    "cgi-fcgi": ("cgi-fcgi", "libfcgi-bin"),
}
"""Name in the pages → program, and Debian's package of it."""
ROOT = ("nginx",)
"""Those that write where only root may."""
_PLACES = (*os.environ["PATH"].split(":"), "/usr/sbin", "/usr/local/sbin")


def found(name: str) -> Path | None:
    """A program of the system."""
    for place in _PLACES:
        for program in sorted(Path(place).glob(SYSTEM[name][0])):
            if os.access(program, os.X_OK):
                return program
    return None


def lacking(names: tuple[str, ...]) -> str:
    """Which of these cannot be run here and what it needs, or ""."""
    for name in names:
        if name in ROOT and os.geteuid() != 0:
            return f"{name} needs root"
        if found(name) is None:
            return f"{name} is not installed (apt-get install {SYSTEM[name][1]})"
    return ""


def provide(names: tuple[str, ...], folder: Path) -> str:
    """A PATH on which these are, by the names that the pages use, and our environment's."""
    folder.mkdir()
    for name in names:
        program = found(name)
        assert program is not None
        (folder / name).symlink_to(program)
    return f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
