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
LAST_END = "last-end"
ROOTS = "/run/gapless"
"""Where root's are."""
PATIENCE = 5
"""Seconds that a supervisor may take to accept a connection, or to answer what it knows."""
_NOBODY = (ConnectionRefusedError, FileNotFoundError, NotADirectoryError)


class Unfit(Exception):
    """A folder that cannot be ours: what, the evidence, the next command."""


def base() -> str:
    """$GAPLESS_RUN_DIR, /run/gapless for root, else the user's own."""
    if chosen := os.environ.get("GAPLESS_RUN_DIR"):
        return chosen
    if os.geteuid() == 0:
        return ROOTS
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return f"{runtime}/gapless"
    return f"/tmp/gapless-{os.geteuid()}"  # noqa: S108 - it must be ours, see made()


def folder(name: str) -> str:
    """Of one supervised process."""
    return f"{base()}/{name}"


def names() -> list[str]:
    """Those that have a folder; whether anybody lives there is told by its control socket. Raises
    OSError when that cannot be seen."""
    try:
        found = os.listdir(base())
    except FileNotFoundError:
        return []
    return sorted(name for name in found if os.path.isdir(folder(name)))


def made(path: str) -> str:
    """Make a folder that only we can write to, or only root: in root's there is one for the user
    of each unit. Raises Unfit when it is another's, or cannot be made."""
    shared = os.geteuid() == 0 and path == base()
    try:
        os.makedirs(path, mode=0o755 if shared else 0o700, exist_ok=True)
    except FileExistsError:
        raise Unfit(f"{path} is not a folder", "", _ELSEWHERE) from None
    except OSError as error:
        raise Unfit(f"{path} cannot be made", str(error.strerror), _ELSEWHERE) from None
    found = os.lstat(path)
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}"
    if not stat.S_ISDIR(found.st_mode):
        raise Unfit(f"{path} is not a folder", "it is a link", _ELSEWHERE)
    if found.st_uid not in (0, os.geteuid()):
        raise Unfit(f"{path} is another's", f"user {found.st_uid}, {mode}", _ELSEWHERE)
    if found.st_mode & 0o022:
        raise Unfit(f"{path} can be written to by others", mode, f"chmod go-w {path}")
    return path


_ELSEWHERE = "choose another folder with GAPLESS_RUN_DIR, for all verbs"


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
    """The control socket of a name or of a process number. Raises LookupError when nobody is
    there, OSError when that is not known: we may not ask, or nobody accepts."""
    unknown: OSError | None = None
    for name in [wanted] if isinstance(wanted, str) else names():
        try:
            found = _connected(f"{folder(name)}/{CONTROL}")
        except _NOBODY:
            continue
        except OSError as error:
            unknown = OSError(error.errno, error.strerror, folder(name))
            continue
        if isinstance(wanted, str) or owner(found) == wanted:
            return found
        found.close()
    if unknown is not None:
        raise unknown
    raise LookupError(f"nothing is supervised as {wanted}" + _others(wanted))


def living() -> list[str]:
    """Names whose supervisor may be there: all but those where surely nobody is. Raises OSError as
    ``names`` does."""
    found = []
    for name in names():
        try:
            _connected(f"{folder(name)}/{CONTROL}").close()
        except _NOBODY:
            continue
        except OSError:
            pass
        found.append(name)
    return found


def owner(connected: socket.socket) -> int:
    """The process at the other end."""
    size = struct.calcsize("3i")
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[0])


def _others(wanted: str | int) -> str:
    try:
        there = [name for name in living() if name != wanted]
    except PermissionError:
        there = []
    return f"; there is {', '.join(there)}" if there else f" in {base()}"


def _connected(path: str) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # one that hangs does not accept: there is room for so many only
    control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE, 0))
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


class _Short:
    """A name of at most 108 bytes for a socket in a folder of any length."""

    def __init__(self, path: str) -> None:
        parent, _, last = path.rpartition("/")
        self._fd = os.open(parent, os.O_PATH | os.O_CLOEXEC)
        self.name = f"/proc/self/fd/{self._fd}/{last}"

    def close(self) -> None:
        os.close(self._fd)
