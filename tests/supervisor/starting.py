"""Starting the programs of ``programs/`` as a supervisor would, and asking them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
SERVE = str(PROGRAMS / "serve.py")
FACTS = str(PROGRAMS / "facts.py")
WITHIN = 10.0


def until(holds: Callable[[], bool], what: str, seconds: float = WITHIN) -> None:
    """Wait for it, or fail."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)


def python() -> str:
    """The interpreter itself, without its virtual environment."""
    return str(Path(sys.executable).resolve())


@contextlib.contextmanager
def program(
    *words: str,
    listeners: Sequence[socket.socket] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``words`` with sockets from descriptor 3 on; killed at the end if need be. The
    environment is what is given, and LISTEN_FDS and LISTEN_PID when there are sockets."""
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in listeners]
    places = " ".join(f"{place}<&{number}" for place, number in enumerate(moved, 3))
    closed = " ".join(f"{number}<&-" for number in moved)
    given = f"LISTEN_FDS={len(moved)} LISTEN_PID=$$" if moved else ""
    # bash, since others do not redirect descriptors of more than one digit
    line = f'exec {places} {closed}\n{given} exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", line, "bash", python(), "-I", "-S", *words],
        env=dict(environment or {}), pass_fds=moved,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    for number in moved:
        os.close(number)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WITHIN)


def listener(path: str = "") -> socket.socket:
    """On a port of its own, or on a path."""
    if path:
        local = socket.socket(socket.AF_UNIX)
        local.bind(path)
        local.listen(4096)
        return local
    return socket.create_server(("127.0.0.1", 0), backlog=4096)


def address(of: socket.socket) -> str:
    """As ``Load`` takes it."""
    name = of.getsockname()
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"


def dial(to: str, seconds: float = WITHIN) -> socket.socket:
    """Connected."""
    local = "/" in to
    link = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
    link.settimeout(seconds)
    host, _, port = to.rpartition(":")
    link.connect(to if local else (host, int(port)))
    return link


def say(link: socket.socket, path: str = "/") -> None:
    """A request."""
    link.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())


def hear(link: socket.socket) -> tuple[int, str, str]:
    """Status, head and body of an answer; (0, "", "") when there is none."""
    heard = b""
    while not heard or b"\r\n\r\n" not in heard:
        some = link.recv(65536)
        if not some:
            return 0, "", ""
        heard += some
    head, body = heard.decode().split("\r\n\r\n", 1)
    return int(head.split()[1]), head, body


def get(to: str, path: str = "/", seconds: float = WITHIN) -> tuple[int, str]:
    """Status and body, over a connection of its own."""
    with dial(to, seconds) as link:
        say(link, path)
        status, _, body = hear(link)
    return status, body.strip()


def refused(to: str) -> bool:
    """Whether nobody listens there."""
    try:
        dial(to).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


def gone(pid: int) -> bool:
    """Whether it has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def end(pid: int) -> None:
    """One that nobody waits for."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid), f"{pid} ends")
