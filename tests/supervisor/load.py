"""A load client: a fixed rate over a number of connections, every failure with its reason.

``python -m tests.supervisor.load --to HOST:PORT|PATH [--rate N] [--connections N] [--path /]
[--connect each|keep|both] [--seconds S]`` prints its result as JSON after S seconds, at TERM, or
when its input ends and the version that was named there has answered. ``loading()`` runs it that
way, as a process of its own; ``Load`` is the same in this process.

``each`` makes a new connection per request, ``keep`` keeps them, ``both`` gives half of the
connections to either. What failed is counted per kind and reason: connect, reset, eof, timeout,
status-NNN, other.

When a kept connection is closed by the server:
- it had said ``Connection: close`` in its last answer, or its end of the connection is seen closed
  before a request is written: the request goes over a new connection (counted as ``reopened``);
- anything later, with the request written and no answer: failed, also when no byte came. A client
  may not know whether such a request was carried out, so nothing is sent twice.
"""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT = 5.0
EXAMPLES = 20
CONNECTS = ("each", "keep", "both")


@dataclass
class Result:
    """What came of it. Times are milliseconds; ``at`` of a failure is of the monotonic clock."""

    seconds: float = 0.0
    sent: int = 0
    ok: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    """By kind and reason: ``each reset``."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first failures: kind, reason, at, words."""
    reopened: int = 0
    p50: float = 0.0
    p99: float = 0.0
    most: float = 0.0
    late: float = 0.0
    """The most a request was sent after it was due: high when the client was too slow."""
    generations: dict[str, int] = field(default_factory=dict)
    """Answers by the second word of the body."""
    versions: dict[str, int] = field(default_factory=dict)
    """By the third."""

    @property
    def failures(self) -> int:
        """All of them."""
        return sum(self.failed.values())

    def failures_of(self, kind: str) -> int:
        """Of ``each`` or ``keep``."""
        return sum(count for name, count in self.failed.items() if name.split()[0] == kind)


class Failed(Exception):
    """No answer, or a wrong one; the reason comes first."""


class Load:
    """Threads that share one schedule. ``start``, then ``stop`` for the result."""

    def __init__(
        self,
        to: str,
        *,
        rate: float = 300.0,
        connections: int = 16,
        connect: str = "each",
        path: str = "/",
    ) -> None:
        self.to, self.rate, self.path = to, rate, path
        kinds = {"each": ["each"], "keep": ["keep"], "both": ["each", "keep"]}[connect]
        self._clients = [
            Client(self, kinds[number % len(kinds)]) for number in range(connections)
        ]  # fmt: skip
        self._turn = threading.Lock()
        self._taken = 0
        self._began = 0.0
        self._over = threading.Event()

    def start(self) -> None:
        self._began = time.monotonic()
        for client in self._clients:
            client.start()

    def stop(self, until: str = "") -> Result:
        """After an answer of the version ``until``, if one comes, and those that are under way."""
        limit = time.monotonic() + TIMEOUT
        while until and not self._heard(until) and time.monotonic() < limit:
            time.sleep(1 / self.rate)
        self._over.set()
        for client in self._clients:
            client.join()
        return collect(self._clients, time.monotonic() - self._began)

    def so_far(self) -> tuple[int, int]:
        """Answered and failed."""
        failed = sum(sum(client.failed.values()) for client in self._clients)
        return sum(len(client.taken) for client in self._clients), failed

    def _heard(self, version: str) -> bool:
        return any(version in client.versions for client in self._clients)

    def next_due(self) -> float | None:
        """When the next request is due, after having waited for it; None at the end."""
        with self._turn:
            due = self._began + self._taken / self.rate
            self._taken += 1
        return None if self._over.wait(max(0.0, due - time.monotonic())) else due


class Client(threading.Thread):
    """One connection, or one after the other."""

    def __init__(self, load: Load, kind: str) -> None:
        super().__init__(daemon=True)
        self.load, self.kind = load, kind
        words = "" if kind == "keep" else "Connection: close\r\n"
        self.request = f"GET {load.path} HTTP/1.1\r\nHost: load\r\n{words}\r\n".encode()
        self.link: socket.socket | None = None
        self.taken: list[float] = []
        self.failed: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []
        self.generations: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.reopened, self.sent, self.late = 0, 0, 0.0

    def run(self) -> None:
        while (due := self.load.next_due()) is not None:
            began = time.monotonic()
            self.late = max(self.late, began - due)
            self.sent += 1
            try:
                self._count(self._ask())
            except Failed as failure:
                self._note(failure)
            else:
                self.taken.append(time.monotonic() - began)
        self._hang_up()

    def _ask(self) -> bytes:
        """The body."""
        if self.link is not None and self._closed_by_server(self.link):
            self._hang_up()
            self.reopened += 1
        if self.link is None:
            self.link = connect(self.load.to)
        body, last = exchange(self.link, self.request)
        if last or self.kind == "each":
            self.reopened += int(self.kind == "keep")
            self._hang_up()
        return body

    @staticmethod
    def _closed_by_server(link: socket.socket) -> bool:
        """Nothing is due to come: whatever can be read is its end."""
        poll = select.poll()
        poll.register(link, select.POLLIN)
        return bool(poll.poll(0))

    def _count(self, body: bytes) -> None:
        words = body.decode(errors="replace").split()
        if len(words) == 3:
            self.generations[words[1]] += 1
            self.versions[words[2]] += 1

    def _note(self, failure: Failed) -> None:
        self._hang_up()
        reason, words = failure.args
        self.failed[f"{self.kind} {reason}"] += 1
        told = {"kind": self.kind, "reason": reason, "at": time.monotonic(), "words": words}
        self.examples.append(told)
        del self.examples[EXAMPLES:]

    def _hang_up(self) -> None:
        if self.link is not None:
            self.link.close()
            self.link = None


def connect(to: str) -> socket.socket:
    """A path has a slash, a TCP address has none; ``@NAME`` is an abstract socket."""
    local = "/" in to or to.startswith("@")
    host, _, port = to.rpartition(":")
    family = socket.AF_UNIX if local else socket.AF_INET6 if ":" in host else socket.AF_INET
    link = socket.socket(family, socket.SOCK_STREAM)
    link.settimeout(TIMEOUT)
    try:
        if local:
            link.connect("\0" + to[1:] if to.startswith("@") else to)
        else:
            link.connect((host.strip("[]"), int(port)))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        link.close()
        reason = "timeout" if isinstance(error, TimeoutError) else "connect"
        raise Failed(reason, str(error)) from None
    return link


def exchange(link: socket.socket, request: bytes) -> tuple[bytes, bool]:
    """The body, and whether the server closes after it."""
    try:
        link.sendall(request)
        head, body = _receive(link)
    except TimeoutError:
        raise Failed("timeout", f"no answer in {TIMEOUT:g} s") from None
    except (ConnectionResetError, BrokenPipeError) as error:
        raise Failed("reset", str(error)) from None
    except (OSError, ValueError) as error:
        raise Failed("other", str(error)) from None
    status = head.split(b" ", 2)[1].decode()
    if status != "200":
        raise Failed(f"status-{status}", body.decode(errors="replace")[:200])
    return body, b"\r\nconnection: close" in head.lower()


def _receive(link: socket.socket) -> tuple[bytes, bytes]:
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += _some(link, heard)
    head, body = heard.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    while len(body) < length:
        body += _some(link, heard)
    return head, body


def _some(link: socket.socket, before: bytes) -> bytes:
    heard = link.recv(65536)
    if not heard:
        raise Failed("eof", "in the answer" if before else "before any byte of an answer")
    return heard


def collect(clients: list[Client], seconds: float) -> Result:
    """One result of all."""
    failed: Counter[str] = Counter()
    generations: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for client in clients:
        failed += client.failed
        generations += client.generations
        versions += client.versions
    taken = sorted(one * 1000 for client in clients for one in client.taken)
    examples = [one for client in clients for one in client.examples]
    examples.sort(key=lambda one: float(one["at"]))
    return Result(
        seconds=round(seconds, 3),
        sent=sum(client.sent for client in clients),
        ok=len(taken),
        failed=dict(failed),
        examples=examples[:EXAMPLES],
        reopened=sum(client.reopened for client in clients),
        p50=share(taken, 0.5),
        p99=share(taken, 0.99),
        most=share(taken, 1.0),
        late=round(max((client.late for client in clients), default=0.0) * 1000, 3),
        generations=dict(generations),
        versions=dict(versions),
    )


def share(values: list[float], part: float) -> float:
    """A percentile of sorted values, the nearest there is."""
    return round(values[min(len(values) - 1, int(len(values) * part))], 3) if values else 0.0


@dataclass
class Loading:
    """A client that runs as a process of its own; ``result`` is there once it has ended."""

    process: subprocess.Popen[str]
    result: Result = field(default_factory=Result)

    def end(self, until: str = "") -> Result:
        """Stop it, once the version ``until`` has answered, and hear what it has to tell."""
        told, _ = self.process.communicate(until, timeout=TIMEOUT * 4)
        if self.process.returncode:
            raise RuntimeError(f"the load client failed: exit {self.process.returncode}")
        self.result = Result(**json.loads(told))
        return self.result


@contextlib.contextmanager
def loading(
    to: str,
    *,
    rate: float = 300.0,
    connections: int = 16,
    connect: str = "each",
    path: str = "/",
) -> Iterator[Loading]:
    """Load from here to the end of the block, if ``end`` was not called before."""
    words = ["--to", to, "--rate", str(rate), "--connections", str(connections)]
    words += ["--connect", connect, "--path", path]
    process = subprocess.Popen(
        [sys.executable, "-S", "-m", "tests.supervisor.load", *words],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    running = Loading(process)
    try:
        if process.stdout.readline() != "began\n":
            raise RuntimeError("the load client did not begin")
        yield running
        if process.returncode is None:
            running.end()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def main(argv: list[str]) -> int:
    """The exit code: 0 also when requests failed."""
    words = dict(zip(argv[::2], argv[1::2], strict=True))
    load = Load(
        words["--to"],
        rate=float(words.get("--rate", 300)),
        connections=int(words.get("--connections", 16)),
        connect=words.get("--connect", "each"),
        path=words.get("--path", "/"),
    )
    seconds = float(words.get("--seconds", 0))
    load.start()
    if not seconds:
        print("began", flush=True)
    until = wait_for_end(seconds)
    print(json.dumps(asdict(load.stop(until))), flush=True)
    return 0


def wait_for_end(seconds: float) -> str:
    """After so long, at a signal, or (without a limit) at the end of the input; what came in."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    if seconds:
        told.wait(seconds)
        return ""
    words = ""
    while not told.is_set():
        if select.select([sys.stdin], [], [], 0.5)[0]:
            if not (word := sys.stdin.read(1)):
                break
            words += word
    return words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
