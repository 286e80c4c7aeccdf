"""What a program was really given: ``python -I -S facts.py FILE [FLAG ...]``.

Writes environment, descriptors and the rest to FILE as JSON, at once and complete; ``{generation}``
and ``{pid}`` in its name are filled in. With flags it then becomes ``serve.py`` with those, in the
same process; without, it sleeps until a signal ends it. Python itself ignores SIGPIPE and SIGXFSZ:
``ignored`` has both, whatever the parent did.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
import stat
import sys

LIMITS = ("nofile", "nproc", "core", "memlock", "stack", "as", "fsize")


def main(path: str, flags: list[str]) -> None:
    facts = gather()
    generation = os.environ.get("GAPLESS_GENERATION", "0")
    path = path.replace("{generation}", generation).replace("{pid}", str(os.getpid()))
    fresh = f"{path}.{os.getpid()}"
    with open(fresh, "w") as file:
        json.dump(facts, file, indent=1)
    os.rename(fresh, path)
    if flags:
        serve = os.path.join(os.path.dirname(os.path.abspath(__file__)), "serve.py")
        os.execv(sys.executable, [sys.executable, "-I", "-S", serve, *flags])
    while True:
        signal.pause()


def gather() -> dict[str, object]:
    """Everything a parent can hand over."""
    return {
        "fds": descriptors(),
        "environment": environment(),
        "argv": sys.orig_argv,
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "directory": os.getcwd(),
        "user": [os.getuid(), os.geteuid()],
        "groups": [os.getgid(), os.getegid(), *sorted(os.getgroups())],
        "umask": status_of("Umask", 8),
        "blocked": status_of("SigBlk", 16),
        "ignored": status_of("SigIgn", 16),
        "limits": {name: list(limit(name)) for name in LIMITS},
    }


def environment() -> dict[str, str]:
    """As it was at exec: Python itself may have changed its own copy since."""
    with open("/proc/self/environ", "rb") as file:
        pairs = file.read().decode(errors="surrogateescape").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def descriptors() -> list[dict[str, object]]:
    """All that are open, but the one that lists them."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    return [describe(number) for number in sorted(numbers) if is_open(number)]


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def describe(number: int) -> dict[str, object]:
    mode = os.fstat(number).st_mode
    told: dict[str, object] = {
        "fd": number,
        "kind": kind_of(mode),
        "target": os.readlink(f"/proc/self/fd/{number}"),
        "blocking": os.get_blocking(number),
        "inherited": not fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC,
    }
    if stat.S_ISSOCK(mode):
        told.update(describe_socket(number))
    return told


def kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFSOCK: "socket",
        stat.S_IFIFO: "pipe",
        stat.S_IFCHR: "character device",
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
    }
    return kinds.get(stat.S_IFMT(mode), "other")


def describe_socket(number: int) -> dict[str, object]:
    with socket.socket(fileno=os.dup(number)) as one:
        name = one.getsockname()
        if isinstance(name, bytes):
            name = "@" + name[1:].decode(errors="replace")
        return {
            "family": one.family.name,
            "type": one.type.name,
            "sockname": list(name) if isinstance(name, tuple) else name,
            "listening": bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)),
        }


def limit(name: str) -> tuple[int, int]:
    return resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))


def status_of(field: str, base: int) -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(f"{field}:"):
                return int(line.split()[1], base)
    return -1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
