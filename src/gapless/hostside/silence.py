"""A container engine that does not answer, and what there is in its place."""

from __future__ import annotations

import contextlib
import os
import stat

from gapless.hostside.faults import Fault, from_os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_USUAL = ("/run/docker.sock", "/run/podman/podman.sock")
"""Where engines listen that nobody told to do otherwise."""


@contextlib.contextmanager
def silence_told(path: str) -> Iterator[None]:
    """Around questions to the engine at a path."""
    try:
        yield
    except OSError as error:
        silent = from_os_error(error, f"no answer of the engine at {path}")
        raise Fault(silent.what, evidence=_seen_of(path)) from error


def _seen_of(path: str) -> str:
    """What there is in the place of an engine that answers."""
    if os.path.exists(path):
        found = os.stat(path)
        kind = "a socket" if stat.S_ISSOCK(found.st_mode) else "no socket"
        mode = stat.S_IMODE(found.st_mode)
        return f"{path} is {kind} of uid {found.st_uid}, gid {found.st_gid}, mode {mode:04o}"
    others = [usual for usual in _USUAL if os.path.exists(usual)]
    return f"there is {', '.join(others)}" if others else f"neither {' nor '.join(_USUAL)} is there"
