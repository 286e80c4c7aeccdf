"""Where supervised processes are found: one folder a name, with its lock and control socket.

Nobody trusts a number in a file: who owns a control socket is asked of the kernel.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

CONTROL = "control.sock"
LOCK = "lock"
LAST_GOOD = "last-good.json"


def base() -> str:
    """$GAPLESS_RUN_DIR, /run/gapless for root, else the user's own."""
    if chosen := os.environ.get("GAPLESS_RUN_DIR"):
        return chosen
    if os.geteuid() == 0:
        return "/run/gapless"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{runtime}/gapless"
    return f"/tmp/gapless-{os.geteuid()}"  # noqa: S108 - it must be ours, see made()


def folder(name: str) -> str:
    """Of one supervised process."""
    return f"{base()}/{name}"


def names() -> list[str]:
    """Those that have a folder; whether anybody lives there is told by its control socket."""
    try:
        found = os.listdir(base())
    except OSError:
        return []
    return sorted(name for name in found if os.path.isdir(folder(name)))


def made(path: str) -> str:
    """Make a folder that only we can write to, or only root: in root's there is one for the user
    of each unit. Raises PermissionError when it is another's."""
    shared = os.geteuid() == 0 and path == base()
    os.makedirs(path, mode=0o755 if shared else 0o700, exist_ok=True)
    found = os.lstat(path)
    ours = found.st_uid in (0, os.geteuid())
    if not stat.S_ISDIR(found.st_mode) or not ours or found.st_mode & 0o022:
        raise PermissionError(1, "is not a folder of our own", path)
    return path


def listening(path: str) -> socket.socket:
    """A control socket, in the place of one that a dead supervisor left."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    at = _Short(path)
    try:
        if os.path.lexists(path):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            control.bind(at.name)
        finally:
            os.umask(before)
        control.listen(64)
    finally:
        at.close()
    return control


def connect(wanted: str | int) -> socket.socket:
    """The control socket of a name or of a process number. Raises LookupError."""
    for name in [wanted] if isinstance(wanted, str) else names():
        try:
            found = _connected(f"{folder(name)}/{CONTROL}")
        except OSError:
            continue
        if isinstance(wanted, str) or _owner(found) == wanted:
            return found
        found.close()
    raise LookupError(f"nothing is supervised as {wanted}" + _others(wanted))


def living() -> list[str]:
    """Names whose supervisor answers."""
    found = []
    for name in names():
        try:
            _connected(f"{folder(name)}/{CONTROL}").close()
        except OSError:
            continue
        found.append(name)
    return found


def _others(wanted: str | int) -> str:
    there = [name for name in living() if name != wanted]
    return f"; there is {', '.join(there)}" if there else f" in {base()}"


def _connected(path: str) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        at = _Short(path)
        try:
            control.connect(at.name)
        finally:
            at.close()
    except OSError:
        control.close()
        raise
    return control


def _owner(connected: socket.socket) -> int:
    size = struct.calcsize("3i")
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[0])


class _Short:
    """A name of at most 108 bytes for a socket in a folder of any length."""

    def __init__(self, path: str) -> None:
        parent, _, last = path.rpartition("/")
        self._fd = os.open(parent, os.O_PATH | os.O_CLOEXEC)
        self.name = f"/proc/self/fd/{self._fd}/{last}"

    def close(self) -> None:
        os.close(self._fd)
