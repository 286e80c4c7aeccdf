"""What is run on a host whose copies hand over, sent over stdin: looks and orders in their folder.

Needs Python 3.8 and its standard library there, and nothing of gapless. ``state.json`` is written
by rename, by one at a time, and only by who has read what stands there.

    look FOLDER                          all that is known, as JSON
    make FOLDER OWNER                    the folder, for an account ("": as it comes)
    turn FOLDER MARK STATE [ID REQUEST]  write state.json in the place of what had that mark, then
                                         have a copy answer a request; the new mark, and its reply
    say FOLDER ID REQUEST SECONDS        one request alone
    place FILE TEXT                      a file for everybody to read
    tidy FOLDER ID...                    what copies left that are neither these nor alive
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import pwd
import re
import socket
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LOOK = 3.0
"""Seconds a copy may take to say how it is."""
OTHER = 3
"""Status: state.json is another one than was read."""
_LIFE = re.compile(r"alive-([A-Za-z0-9._-]{1,64})\.lock")


class Refused(Exception):
    """Why it was not done."""


class Copy(http.client.HTTPConnection):
    """Its control socket. Who listens is known by the kernel."""

    def __init__(self, folder: str, name: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = os.path.join(folder, f"ctl-{name}.sock")
        self.pid = self.uid = -1

    def connect(self) -> None:
        """By a short way to the folder: a path may be too long for a socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        fd = os.open(os.path.dirname(self._path), os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{fd}/{os.path.basename(self._path)}")
        finally:
            os.close(fd)
        told = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid, self.uid, _ = struct.unpack("3i", told)

    def ask(self, method: str, target: str) -> dict[str, Any]:
        """Status and body, or why there is no answer."""
        try:
            self.request(method, target)
            reply = self.getresponse()
            return {"status": reply.status, "body": json.loads(reply.read())}
        except (OSError, ValueError, http.client.HTTPException) as error:
            return {"status": 0, "error": str(error) or type(error).__name__}
        finally:
            self.close()


def lives(path: str) -> bool:
    """Whether somebody has locked it."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def read(folder: str) -> tuple[str, Any]:
    """Mark and content of state.json: "" and None where there is none, None for what is no JSON."""
    try:
        with open(os.path.join(folder, "state.json"), "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return "", None
    mark = hashlib.sha256(raw).hexdigest()
    try:
        return mark, json.loads(raw)
    except ValueError:
        return mark, None


def look(folder: str) -> dict[str, Any]:
    """Only who lives is asked."""
    mark, state = read(folder) if os.path.isdir(folder) else ("", None)
    found = {}
    for name in names(folder):
        if lives(os.path.join(folder, f"alive-{name}.lock")):
            copy = Copy(folder, name, LOOK)
            found[name] = copy.ask("GET", "/handover")
            found[name].update(uid=copy.uid, peak=peak(copy.pid), claims=claims(copy.pid))
    with open("/proc/meminfo") as file:
        memory = dict(line.split(":", 1) for line in file)
    available = int(memory["MemAvailable"].split()[0])
    return {"mark": mark, "state": state, "copies": found, "memory": available}


def claims(pid: int) -> list[str]:
    """Where a process was told to claim events, without a password, and in which namespace; nothing
    when its environment cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        return []
    given = dict(word.split("=", 1) for word in words if "=" in word)
    lock = re.sub(r":[^:/@]*@", "@", given.get("HANDOVER_LOCK") or "sqlite:")
    folder = os.path.basename(given.get("HANDOVER_DIR", "").rstrip("/"))
    return [lock, given.get("HANDOVER_NAMESPACE") or folder]


def names(folder: str) -> list[str]:
    """Ids that ever were."""
    there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [match.group(1) for match in map(_LIFE.fullmatch, there) if match]


def peak(pid: int) -> int:
    """The most memory in KiB that a process has had, with all that it started; 0 when nobody
    knows."""
    above = {}
    for word in os.listdir("/proc"):
        if word.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{word}/stat") as file:
                above[int(word)] = int(file.read().rpartition(")")[2].split()[1])
    mine = {pid}
    while more := {one for one, parent in above.items() if parent in mine} - mine:
        mine |= more
    return sum(map(_peak, mine))


def _peak(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def make(folder: str, owner: str) -> None:
    """What is there keeps its owner, unless it is ours alone."""
    os.makedirs(os.path.dirname(folder), mode=0o755, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
        os.chmod(folder, 0o755)  # noqa: S103 - the copies may be of two accounts
    if os.path.islink(folder):
        raise Refused(folder + " is a symbolic link: whoever made it decides what is changed")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        account = uid_of(owner)
        if account is not None and os.fstat(fd).st_uid == os.getuid() != account[0]:
            os.fchown(fd, *account)
    finally:
        os.close(fd)


def uid_of(owner: str) -> tuple[int, int] | None:
    """Of an account by name, or by number; None for ""."""
    if not owner:
        return None
    try:
        known = pwd.getpwuid(int(owner)) if owner.isdigit() else pwd.getpwnam(owner)
    except KeyError:
        if owner.isdigit():
            return int(owner), int(owner)
        raise Refused("there is no account " + owner) from None
    return known.pw_uid, known.pw_gid


def turn(folder: str, mark: str, text: str) -> None:
    """One at a time; what was written by this order before is not written again."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        now, state = read(folder)
        if now != mark and state != json.loads(text):
            raise Refused("somebody else has written state.json")
        with keeping_private(folder) as fresh:
            with os.fdopen(fresh[0], "w") as file:
                file.write(json.dumps(json.loads(text), indent=1) + "\n")
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            os.replace(fresh[1], os.path.join(folder, "state.json"))
        os.fsync(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def keeping_private(folder: str) -> Iterator[tuple[int, str]]:
    """A new file that nobody finds, gone when it was not renamed. The folder is the program's: what
    it may have put there under that name is not written through."""
    path = os.path.join(folder, ".gapless-" + os.urandom(8).hex())
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield fd, path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def place(path: str, text: str) -> None:
    """Whole or not at all."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    beside = os.path.join(os.path.dirname(path), ".gapless-" + os.path.basename(path))
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def tidy(folder: str, kept: list[str]) -> None:
    """Their sockets, and the files that said they lived."""
    for name in names(folder):
        path = os.path.join(folder, f"alive-{name}.lock")
        if name not in kept and not lives(path):
            for left in (path, os.path.join(folder, f"ctl-{name}.sock")):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(left)


def main(verb: str, *words: str) -> None:
    """One look or order."""
    if verb == "look":
        print(json.dumps(look(*words)))
    elif verb == "make":
        make(*words)
    elif verb == "turn":
        folder, mark, text, *request = words
        turn(folder, mark, text)
        reply = Copy(folder, request[0], 30.0).ask("POST", request[1]) if request else {}
        print(json.dumps({"mark": read(folder)[0], "reply": reply}))
    elif verb == "say":
        print(json.dumps(Copy(words[0], words[1], float(words[3])).ask("POST", words[2])))
    elif verb == "place":
        place(*words)
    elif verb == "tidy":
        tidy(words[0], list(words[1:]))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(OTHER if isinstance(error, Refused) else 1)
