"""A new copy is asked until it is ready: with real sockets and programs, one attempt at a time."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gapless.supervisor import linux, processes
from gapless.supervisor.asking import Answer, Asking
from gapless.supervisor.children import Children, Launch
from gapless.supervisor.evidence import LONGEST_EVIDENCE
from gapless.supervisor.loop import Loop
from gapless.supervisor.spec import Ready
from tests.ports import free_port

LIMIT = 10.0
LONG = 1.0
"""Seconds of an attempt that ends only then, and in which something comes, however busy we are."""
RUN = f"test-{os.getpid()}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Handler = Callable[[socket.socket], None]


class Rig:
    """A loop that is turned by the test, and what was told."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.children = Children(self.loop)
        self.answers: list[Answer] = []
        self.at: list[float] = []
        self.asking: Asking | None = None
        self.enough = 1 << 30
        self.others = processes.our_children()
        """Those that other tests have started are theirs to wait for."""
        self.launch = Launch(("copy",), {"PATH": os.environ["PATH"], processes.MARK: RUN})

    def ask(self, ready: Ready) -> Asking:
        self.asking = Asking(self.loop, self.children, ready, self.launch, self.told)
        self.asking.begin()
        return self.asking

    def told(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.at.append(time.monotonic())
        if len(self.answers) >= self.enough and self.asking is not None:
            self.asking.end()

    def first(self, ready: Ready) -> Answer:
        self.enough = 1
        self.ask(ready)
        self.until(lambda: bool(self.answers))
        return self.answers[0]

    def until(self, reached: Callable[[], bool], limit: float = LIMIT) -> None:
        end = time.monotonic() + limit
        while not reached():
            assert time.monotonic() < end, f"not reached; told: {self.answers}"
            self.turn()

    def left(self) -> list[int]:
        """Of what was started here: what runs, and what has ended and was not waited for."""
        ours = (pid for pid in processes.our_children() if pid not in self.others)
        return running() + [pid for pid in ours if processes.state(pid) in ("Z", "X")]

    def turn(self) -> None:
        self.loop.after(0.01, lambda: None)
        self.loop.turn()
        self.children.reap()

    def for_a_while(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()


class Server:
    """Answers every connection in a thread of its own."""

    def __init__(self, listener: socket.socket, handler: Handler) -> None:
        self.listener, self.handler = listener, handler
        self.seen: list[bytes] = []
        self.now = self.most = 0
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def place(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(conn,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, conn: socket.socket) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        with conn, contextlib.suppress(OSError):
            conn.settimeout(LIMIT)
            self.handler(conn)
        with self._lock:
            self.now -= 1

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join(LIMIT)


Serve = Callable[..., Server]


@pytest.fixture
def rig() -> Iterator[Rig]:
    linux.adopt_orphans()
    rig = Rig()
    try:
        yield rig
    finally:
        if rig.asking is not None:
            rig.asking.end()
        rig.until(lambda: not rig.left())
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(handler: Handler, listener: socket.socket | None = None) -> Server:
        servers.append(Server(listener or listening(), handler))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def listening(family: int = socket.AF_INET, address: object = ("127.0.0.1", 0)) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)  # type: ignore[arg-type]
    listener.listen(64)
    return listener


def head(conn: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        part = conn.recv(4096)
        if not part:
            break
        found += part
    return found


def says(*parts: bytes, pause: float = 0.0) -> Handler:
    """Read the request, then send this and close."""

    def handler(conn: socket.socket) -> None:
        head(conn)
        for part in parts:
            conn.sendall(part)
            time.sleep(pause)

    return handler


def hangs(conn: socket.socket) -> None:
    """Until the other end goes."""
    while conn.recv(4096):
        pass


def http(place: str, path: str = "/health", **more: object) -> Ready:
    return Ready(kind="http", target=f"{place}{path}", **more)  # type: ignore[arg-type]


def command(*argv: str, **more: object) -> Ready:
    return Ready(kind="command", command=argv, **more)  # type: ignore[arg-type]


def fds() -> set[str]:
    """What is open: each descriptor with what it is."""
    gc.collect()
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
    return found


def running(mark: str = f"{RUN}.check") -> list[int]:
    return [
        pid
        for pid in processes.everybody()
        if processes.session(pid) != -1 and processes.marked(pid, mark)
    ]


# --- which questions ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["alive", "notify", "rumour"])
def test_what_is_not_asked_is_refused(rig: Rig, kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        Asking(rig.loop, rig.children, Ready(kind=kind), rig.launch, rig.told)


@pytest.mark.parametrize(
    "ready",
    [
        Ready(kind="tcp", target="db.example:80"),
        Ready(kind="tcp", target="127.0.0.1"),
        Ready(kind="tcp", target="127.0.0.1:0"),
        Ready(kind="tcp", target="127.0.0.1:70000"),
        Ready(kind="tcp", target=":80"),
        Ready(kind="tcp", target=""),
        Ready(kind="http", target="/health"),
        Ready(kind="http", target="unix:/health"),
        Ready(kind="unix", target=""),
        Ready(kind="unix", target="/" + "a" * 200),
        Ready(kind="unix", target="/a\0b"),
        Ready(kind="unix", target="/\ud800"),
        Ready(kind="command", command=()),
    ],
    ids=lambda ready: f"{ready.kind} {ready.target!r}"[:24],
)
def test_what_cannot_be_asked_is_a_bad_answer_and_no_crash(rig: Rig, ready: Ready) -> None:
    answer = rig.first(ready)
    assert not answer.ok
    answer.evidence.encode()


# --- tcp and unix ------------------------------------------------------------------------------


def test_a_tcp_listener_is_ready(rig: Rig, serve: Serve) -> None:
    server = serve(hangs)
    answer = rig.first(Ready(kind="tcp", target=server.place))
    assert answer == Answer(True, f"connect {server.place} -> accepted (wanted a listener)")


def test_a_refused_connection_is_not(rig: Rig) -> None:
    port = free_port()
    answer = rig.first(Ready(kind="tcp", target=f"127.0.0.1:{port}"))
    assert not answer.ok
    assert answer.evidence == (
        f"connect 127.0.0.1:{port} -> Connection refused (wanted a listener)"
    )


def test_a_listener_on_v6(rig: Rig, serve: Serve) -> None:
    server = serve(hangs, listening(socket.AF_INET6, ("::1", 0)))
    assert rig.first(Ready(kind="tcp", target=server.place)).ok


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_localhost_is_tried_on_both(rig: Rig, serve: Serve, family: int, host: str) -> None:
    server = serve(hangs, listening(family, (host, 0)))
    port = server.listener.getsockname()[1]
    assert rig.first(Ready(kind="tcp", target=f"localhost:{port}")).ok


def test_nobody_answers_himself(rig: Rig) -> None:
    """A loopback port out of the range of outgoing ones can be connected to itself."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.connect(holder.getsockname())  # that is what the kernel does now and then
        assert holder.getsockname() == holder.getpeername()
    target = f"127.0.0.1:{free_port()}"

    class Narcissus(socket.socket):
        def connect_ex(self, address: object) -> int:
            with contextlib.suppress(OSError):
                self.bind(address)  # type: ignore[arg-type]
            return super().connect_ex(address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", Narcissus)
        answer = rig.first(Ready(kind="tcp", target=target))
    assert not answer.ok
    assert "Connection refused" in answer.evidence


def test_a_unix_socket(rig: Rig, serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.sock")
    serve(hangs, listening(socket.AF_UNIX, path))
    assert rig.first(Ready(kind="unix", target=path)).ok


def test_an_abstract_unix_socket(rig: Rig, serve: Serve) -> None:
    serve(hangs, listening(socket.AF_UNIX, f"\0{RUN}-abstract"))
    assert rig.first(Ready(kind="unix", target=f"@{RUN}-abstract")).ok


def test_a_missing_path_and_one_without_a_listener(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.sock")
    rig.ask(Ready(kind="unix", target=path, interval=0.01))
    rig.until(lambda: bool(rig.answers))
    assert "No such file" in rig.answers[0].evidence
    listening(socket.AF_UNIX, path).close()
    rig.until(lambda: "Connection refused" in rig.answers[-1].evidence)
    assert not any(answer.ok for answer in rig.answers)


def test_a_full_queue_of_a_unix_socket_is_waited_for(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.sock")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        while True:
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            if one.connect_ex(path):
                break
        rig.ask(Ready(kind="unix", target=path, timeout=LIMIT))
        rig.for_a_while(0.1)
        assert rig.answers == []
        listener.accept()[0].close()
        rig.until(lambda: bool(rig.answers))
        assert rig.answers[0].ok


def test_a_full_queue_for_too_long(rig: Rig, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.sock")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(path)
        listener.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(path)
        answer = rig.first(Ready(kind="unix", target=path, timeout=0.1))
    assert not answer.ok
    assert "no answer within 0.1 s" in answer.evidence


# --- http --------------------------------------------------------------------------------------


def test_a_good_answer(rig: Rig, serve: Serve) -> None:
    asked = []

    def handler(conn: socket.socket) -> None:
        asked.append(head(conn))
        conn.sendall(OK)
        hangs(conn)  # and does not close, though it was asked to

    server = serve(handler)
    answer = rig.first(http(server.place, "/health?deep=1"))
    assert answer.ok
    assert answer.evidence == f"GET {server.place}/health?deep=1 -> 200 ready (wanted 200)"
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /health?deep=1 HTTP/1.1"
    assert {f"Host: {server.place}", "Connection: close"} <= set(lines)


def test_a_bad_status(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\nstarting"))
    answer = rig.first(http(server.place))
    assert answer == Answer(False, f"GET {server.place}/health -> 503 starting (wanted 200)")


def test_the_reason_is_told_where_there_is_no_body(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.0 503 Not Yet\r\n\r\n"))
    assert "-> 503 Not Yet (wanted 200 or 204)" in (
        rig.first(http(server.place, status=(200, 204))).evidence
    )


def test_another_wanted_status(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert rig.first(http(server.place, status=(200, 204))).ok


@pytest.mark.parametrize("path", ["", "/", "/a b/\u00e9?x=%20"])
def test_any_path_makes_a_proper_request(rig: Rig, serve: Serve, path: str) -> None:
    asked = []

    def handler(conn: socket.socket) -> None:
        asked.append(head(conn))
        conn.sendall(OK)

    assert rig.first(http(serve(handler).place, path)).ok
    wanted = {"": b"/", "/": b"/"}.get(path, b"/a%20b/%C3%A9?x=%20")
    assert asked[0].startswith(b"GET " + wanted + b" HTTP/1.1\r\n")


def test_no_header_can_be_put_into_the_path(rig: Rig, serve: Serve) -> None:
    asked = []

    def handler(conn: socket.socket) -> None:
        asked.append(head(conn))
        conn.sendall(OK)

    rig.first(http(serve(handler).place, "/x HTTP/1.1\r\nX: y"))
    assert b"\r\nX: y" not in asked[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nall is ready",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is ready",
        CHUNKED + b"8\r\nall is r\r\n4;a=b\r\neady\r\n0\r\n\r\n",
        CHUNKED.lower().replace(b"http", b"HTTP") + b"C\r\nall is ready\r\n00\r\nT: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is ready",
        b"HTTP/1.0 200\n\nall is ready",
    ],
    ids=["close", "length", "chunked", "trailer", "interim", "plain-lines"],
)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_body_comes_in_many_ways(rig: Rig, serve: Serve, answer: bytes, size: int) -> None:
    parts = [answer[at : at + size] for at in range(0, len(answer), size)]
    server = serve(says(*parts, pause=0.001))
    found = rig.first(http(server.place, body="is ready"))
    assert found.ok, found


def test_a_body_without_what_is_wanted(rig: Rig, serve: Serve) -> None:
    answer = rig.first(http(serve(says(OK)).place, body="warm"))
    assert not answer.ok
    assert answer.evidence.endswith("-> 200 ready (wanted 200 with 'warm')")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "closed, no answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP: b'SSH-2.0"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 2_0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nready", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nready", "a Content-Length of '-5'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "a Content-Length of"),
        (CHUNKED + b"5\r\nready\r\n", "in the middle"),
        (CHUNKED + b"-5\r\nready", "a chunk of size"),
        (CHUNKED + b"2\r\nready\r\n", "a chunk longer"),
        (
            CHUNKED + b"0" * 3000,
            "a chunk without a size",
        ),
    ],
)
def test_what_is_no_answer_at_all(rig: Rig, serve: Serve, answer: bytes, told: str) -> None:
    found = rig.first(http(serve(says(answer)).place))
    assert not found.ok
    assert told in found.evidence


def test_nothing_in_the_evidence_obeys_the_other_side(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 500 \x1b[2J\r\n\r\n\xff\xfe\x1b[31mred\r\n\0" + b"x" * 5000))
    evidence = rig.first(http(server.place)).evidence
    assert evidence.isprintable()
    assert len(evidence) == LONGEST_EVIDENCE
    assert "\\xff\\xfe" in evidence
    assert evidence.endswith("(wanted 200)")


def test_a_long_question_leaves_room_for_the_answer(rig: Rig, serve: Serve) -> None:
    answer = rig.first(http(serve(says(OK)).place, "/" + "p" * 500, body="w" * 500))
    assert "200 ready" in answer.evidence
    assert len(answer.evidence) <= LONGEST_EVIDENCE


@pytest.mark.parametrize("length", [b"", b"Content-Length: 200000\r\n"])
def test_it_reads_64_kb_and_no_more(rig: Rig, serve: Serve, length: bytes) -> None:
    start = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n"
    server = serve(says(start, b"first" + b"." * 100_000, b"last" + b"." * 100_000))
    assert rig.first(http(server.place, body="first")).ok
    rig.answers.clear()
    answer = rig.first(http(server.place, body="last"))
    assert not answer.ok
    assert "not in its first 64 KB" in answer.evidence


def test_chunks_are_read_to_64_kb_too(rig: Rig, serve: Serve) -> None:
    start = CHUNKED + b"30000\r\nfirst"
    server = serve(says(start, b"." * 150_000))
    assert rig.first(http(server.place, body="first")).ok


def test_a_head_without_an_end(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 20_000))
    answer = rig.first(http(server.place))
    assert not answer.ok
    assert "a head without an end" in answer.evidence


@pytest.mark.parametrize(
    ("begun", "told"), [(b"", ""), (OK[:-1], ": 200 "), (b"HTTP/1.1 200 OK\r\n", "")]
)
def test_an_answer_that_hangs(rig: Rig, serve: Serve, begun: bytes, told: str) -> None:
    def handler(conn: socket.socket) -> None:
        head(conn)
        conn.sendall(begun)
        hangs(conn)

    server = serve(handler)
    before = time.monotonic()
    answer = rig.first(http(server.place, timeout=LONG))
    assert LONG <= time.monotonic() - before < LONG + LIMIT
    assert not answer.ok
    what = "did not end" if told else "no answer"
    assert f"-> {what} within {LONG:g} s{told}" in answer.evidence


def test_a_slow_dribble_has_the_same_limit(rig: Rig, serve: Serve) -> None:
    def handler(conn: socket.socket) -> None:
        head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            conn.sendall(b".")
            time.sleep(0.01)

    answer = rig.first(http(serve(handler).place, timeout=LONG))
    assert not answer.ok
    assert f"did not end within {LONG:g} s: 200 ..." in answer.evidence


def test_an_answer_without_reading_the_question(rig: Rig, serve: Serve) -> None:
    server = serve(lambda conn: conn.sendall(OK))
    rig.ask(http(server.place, interval=0.01))
    rig.until(lambda: len(rig.answers) == 5)  # ready or reset, as the kernel likes; never a crash


def test_http_over_a_unix_socket(rig: Rig, serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "copy.sock")
    serve(says(OK), listening(socket.AF_UNIX, path))
    answer = rig.first(http(f"unix:{path}:"))
    assert answer.ok
    assert "/health -> 200 ready (wanted 200)" in answer.evidence


def test_http_over_an_abstract_socket(rig: Rig, serve: Serve) -> None:
    serve(says(OK), listening(socket.AF_UNIX, f"\0{RUN}-http"))
    assert rig.first(http(f"unix:@{RUN}-http:")).ok


def test_http_over_v6_names_its_host_in_brackets(rig: Rig, serve: Serve) -> None:
    asked = []

    def handler(conn: socket.socket) -> None:
        asked.append(head(conn))
        conn.sendall(OK)

    server = serve(handler, listening(socket.AF_INET6, ("::1", 0)))
    assert rig.first(http(server.place)).ok
    assert f"\r\nHost: {server.place}\r\n".encode() in asked[0]


def test_http_refused(rig: Rig) -> None:
    answer = rig.first(http(f"127.0.0.1:{free_port()}"))
    assert not answer.ok
    assert "/health -> Connection refused (wanted 200)" in answer.evidence


# --- docker ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ok", "told"),
    [
        ({"Running": True}, True, "running"),
        ({"Running": True, "Health": {"Status": "healthy"}}, True, "running, healthy"),
        ({"Running": True, "Health": {"Status": "starting"}}, False, "running, starting"),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, False, "running, unhealthy"),
        ({"Running": True, "Health": {"Status": "none"}}, True, "running"),
        ({"Running": True, "Health": {"Status": ""}}, True, "running"),
        ({"Running": True, "Health": None}, True, "running"),
        ({"Running": True, "Restarting": True}, False, "restarting"),
        ({"Running": True, "Paused": True}, False, "paused"),
        ({"Running": False, "Status": "exited"}, False, "exited"),
        ({"Running": False, "Health": {"Status": "healthy"}}, False, "not running, healthy"),
        ({}, False, "an answer without State.Running"),
        ([], False, "an answer without State.Running"),
        ({"Running": True, "Health": 3}, False, "an answer without State.Running"),
    ],
)
def test_docker(rig: Rig, serve: Serve, tmp_path: Path, state: object, ok: bool, told: str) -> None:
    body = json.dumps({"Id": "x" * 100_000, "State": state}).encode()
    start = CHUNKED + b"%x\r\n" % len(body)
    asked = []

    def handler(conn: socket.socket) -> None:
        asked.append(head(conn))
        conn.sendall(start + body + b"\r\n0\r\n\r\n")

    path = str(tmp_path / "docker.sock")
    serve(handler, listening(socket.AF_UNIX, path))
    answer = rig.first(Ready(kind="docker", target="web-1", docker=path))
    assert answer.ok == ok
    assert answer.evidence.startswith(f"docker container web-1 -> {told}")
    assert answer.evidence.endswith("(wanted running and healthy)")
    assert asked[0].startswith(b"GET /containers/web-1/json HTTP/1.1\r\nHost: docker\r\n")


def test_docker_without_the_container(rig: Rig, serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "docker.sock")
    body = b'{"message":"No such container: web"}'
    start = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(body)
    serve(says(start + body), listening(socket.AF_UNIX, path))
    answer = rig.first(Ready(kind="docker", target="web", docker=path))
    assert not answer.ok
    assert "404" in answer.evidence
    assert "No such container: web" in answer.evidence


@pytest.mark.parametrize("body", [b"{", b"null", b"[" * 50_000, b'{"State": 1}'])
def test_docker_that_answers_nonsense(rig: Rig, serve: Serve, tmp_path: Path, body: bytes) -> None:
    path = str(tmp_path / "docker.sock")
    serve(says(b"HTTP/1.1 200 OK\r\n\r\n" + body), listening(socket.AF_UNIX, path))
    answer = rig.first(Ready(kind="docker", target="web", docker=path))
    assert not answer.ok
    assert "without State.Running" in answer.evidence


def test_no_docker(rig: Rig, tmp_path: Path) -> None:
    ready = Ready(kind="docker", target="web", docker=str(tmp_path / "docker.sock"))
    assert "No such file" in rig.first(ready).evidence


# --- command -----------------------------------------------------------------------------------


def test_a_command_that_ends_well(rig: Rig) -> None:
    answer = rig.first(command("sh", "-c", "echo fine; exit 0"))
    assert answer.ok
    assert answer.evidence == (
        "sh -c echo fine; exit 0 -> ended with status 0: fine (wanted status 0)"
    )


def test_a_command_that_fails_tells_its_last_words(rig: Rig) -> None:
    script = "seq 1 5000; echo no database >&2; exit 3"
    answer = rig.first(command("sh", "-c", script))
    assert not answer.ok
    assert "ended with status 3: ..." in answer.evidence
    assert answer.evidence.endswith("5000 no database (wanted status 0)")
    assert len(answer.evidence) == LONGEST_EVIDENCE


def test_a_command_that_is_killed(rig: Rig) -> None:
    answer = rig.first(command("sh", "-c", "kill -9 $$"))
    assert not answer.ok
    assert "was killed by SIGKILL" in answer.evidence


def test_a_command_that_is_missing(rig: Rig) -> None:
    before = fds()
    answer = rig.first(command("/nowhere/check"))
    assert not answer.ok
    assert "No such file or directory: /nowhere/check" in answer.evidence
    assert fds() <= before


def test_a_command_that_prints_rubbish(rig: Rig) -> None:
    answer = rig.first(command("printf", r"\377\376\033[2Jx"))
    assert answer.ok
    assert answer.evidence.isprintable()


def test_a_command_runs_where_the_copy_runs(rig: Rig, tmp_path: Path) -> None:
    """In its environment and directory, with nothing to read, and none of its sockets."""
    script = (
        "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), "
        "sys.stdin.read(), sorted(map(int, os.listdir('/proc/self/fd')))]), file=open('seen', 'w'))"
    )
    environment = {**rig.launch.environment, "COLOUR": "b", "LC_ALL": "C.UTF-8"}
    with listening() as listener:
        rig.launch = Launch(
            ("copy",),
            environment,
            directory=str(tmp_path),
            fds={3: listener.fileno()},
            pid_variables=("LISTEN_PID",),
        )
        answer = rig.first(command(sys.executable, "-c", script))
    assert answer.ok, answer
    found, directory, read, descriptors = json.loads((tmp_path / "seen").read_text())
    assert found == {**environment, processes.MARK: f"{RUN}.check"}
    assert (directory, read) == (str(tmp_path), "")
    assert descriptors == [0, 1, 2, 3]  # 3 is the listing, opened by itself


def test_a_command_that_hangs_is_killed_with_all_it_started(rig: Rig) -> None:
    script = "echo waiting; sleep 300 & setsid sleep 300 & wait"
    answer = rig.first(command("sh", "-c", script, timeout=LONG))
    assert not answer.ok
    assert f"did not end within {LONG:g} s: waiting" in answer.evidence
    rig.until(lambda: not running())


def test_what_a_good_command_leaves_behind_is_killed(rig: Rig) -> None:
    answer = rig.first(command("sh", "-c", "sleep 300 & setsid sleep 300 & echo done"))
    assert answer.ok
    assert "done" in answer.evidence
    rig.until(lambda: not running())


def test_the_copy_itself_is_never_killed(rig: Rig) -> None:
    """It carries the mark by which what it left behind is found."""
    ended: list[int] = []
    copy = rig.children.start(Launch(("sleep", "300"), rig.launch.environment), ended.append)
    rig.enough = 3
    rig.ask(command("sh", "-c", "sleep 300 &", interval=0.01))
    rig.until(lambda: len(rig.answers) == 3)
    rig.ask(command("sleep", "300", timeout=0.1))
    rig.until(lambda: len(rig.answers) == 4)
    rig.until(lambda: not running())
    assert ended == []
    copy.kill_all()
    rig.until(lambda: bool(ended))


def test_an_endless_output_is_only_a_hanging_command(rig: Rig) -> None:
    answer = rig.first(command("yes", timeout=LONG))
    assert not answer.ok
    assert f"did not end within {LONG:g} s: ..." in answer.evidence


# --- one after the other -----------------------------------------------------------------------


@pytest.mark.parametrize("good", [True, False])
def test_the_interval_is_kept(rig: Rig, serve: Serve, good: bool) -> None:
    target = serve(hangs).place if good else f"127.0.0.1:{free_port()}"
    asking = rig.ask(Ready(kind="tcp", target=target, interval=0.1))
    assert _due(asking) <= time.monotonic(), "the first comes at once"
    due = dues(rig, asking, 4)
    assert {answer.ok for answer in rig.answers} == {good}
    assert all(at >= planned for at, planned in zip(rig.at, due, strict=False))
    assert shortest(due) > 0.0999
    assert all(planned - at < 0.1001 for at, planned in zip(rig.at, due[1:], strict=True))


def dues(rig: Rig, asking: Asking, answers: int) -> list[float]:
    """When each attempt was to begin, and the one after them."""
    found = [_due(asking)]
    while (told := len(rig.answers)) < answers:
        rig.until(lambda told=told: len(rig.answers) > told)  # type: ignore[misc]
        found.append(_due(asking))
    return found


def shortest(due: list[float]) -> float:
    return min(later - one for one, later in itertools.pairwise(due))


def _due(asking: Asking) -> float:
    """When the next attempt begins: an end is told a moment after it was seen."""
    assert asking._next is not None
    return asking._next.at


def test_the_interval_begins_at_the_end_of_an_attempt(rig: Rig) -> None:
    asking = rig.ask(command("sleep", "0.2", interval=0.1))
    assert shortest(dues(rig, asking, 3)) > 0.2999


def test_no_interval_leaves_time_for_others(rig: Rig) -> None:
    """It would turn for ever within one turn of the loop."""
    asking = rig.ask(Ready(kind="unix", target="/nowhere/copy.sock", interval=0.0))
    assert shortest(dues(rig, asking, 3)) > 0.0099


def test_requests_never_overlap(rig: Rig, serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\n", b"\r\n", b"x", pause=0.02))
    rig.ask(http(server.place, interval=0.01))
    rig.until(lambda: len(rig.answers) == 5)
    assert server.most == 1


def test_commands_never_overlap(rig: Rig, tmp_path: Path) -> None:
    script = "mkdir one || touch overlap; sleep 0.05; rmdir one"
    rig.launch = Launch(("copy",), rig.launch.environment, directory=str(tmp_path))
    rig.ask(command("sh", "-c", script, interval=0.0))
    rig.until(lambda: len(rig.answers) == 5)
    assert not (tmp_path / "overlap").exists()


def test_a_command_that_cannot_be_killed_is_not_joined_by_another(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one that hangs in the kernel: it is told at its limit, and waited for."""
    os.mkfifo(gate := tmp_path / "gate")
    rig.ask(command("cat", str(gate), timeout=0.1, interval=0.01))
    with monkeypatch.context() as patch:
        patch.setattr("gapless.supervisor.children.Child.kill_all", lambda child: None)
        rig.until(lambda: len(rig.answers) == 1)
        rig.for_a_while(0.3)
        assert len(rig.answers) == 1
        gate.write_text("")  # it ends
    rig.until(lambda: len(rig.answers) == 2)


def test_it_goes_on_from_bad_to_good(rig: Rig, serve: Serve) -> None:
    port = free_port()
    rig.ask(http(f"127.0.0.1:{port}", interval=0.02))
    rig.until(lambda: len(rig.answers) == 2)
    serve(says(OK), listening(address=("127.0.0.1", port)))
    rig.until(lambda: rig.answers[-1].ok)
    assert [answer.ok for answer in rig.answers[:2]] == [False, False]


# --- the end -----------------------------------------------------------------------------------


def test_who_is_told_may_end_it(rig: Rig, serve: Serve) -> None:
    before = fds()
    server = serve(hangs)
    rig.enough = 2
    rig.ask(Ready(kind="tcp", target=server.place, interval=0.01))
    rig.until(lambda: len(rig.answers) == 2)
    rig.for_a_while(0.1)
    assert len(rig.answers) == 2
    server.close()
    assert fds() <= before


def test_nothing_is_told_from_within_begin(rig: Rig) -> None:
    rig.ask(Ready(kind="unix", target="/nowhere/copy.sock"))
    assert rig.answers == []


def test_an_end_before_the_first_attempt(rig: Rig) -> None:
    rig.ask(Ready(kind="unix", target="/nowhere/copy.sock")).end()
    rig.for_a_while(0.05)
    assert rig.answers == []


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n\r\nx"])
def test_an_end_in_the_middle_of_a_request(rig: Rig, serve: Serve, begun: bytes) -> None:
    reached = threading.Event()

    def handler(conn: socket.socket) -> None:
        head(conn)
        conn.sendall(begun)
        reached.set()
        hangs(conn)

    server = serve(handler)
    before = fds()
    asking = rig.ask(http(server.place))
    rig.until(reached.is_set)
    rig.for_a_while(0.05)
    asking.end()
    asking.end()
    rig.until(lambda: server.now == 0)
    assert fds() <= before
    rig.for_a_while(0.2)
    assert rig.answers == []


def test_an_end_in_the_middle_of_a_command(rig: Rig) -> None:
    before = fds()
    asking = rig.ask(command("sh", "-c", "sleep 300 & setsid sleep 300 & wait"))
    rig.until(lambda: len(running()) == 3)
    asking.end()
    asking.end()
    rig.until(lambda: not running())
    rig.until(lambda: not rig.left())
    assert fds() <= before
    rig.for_a_while(0.2)
    assert rig.answers == []


@pytest.mark.parametrize("kind", ["good", "hanging", "refused", "command", "missing"])
def test_many_attempts_leave_no_descriptor(rig: Rig, serve: Serve, kind: str) -> None:
    place = serve(hangs if kind == "hanging" else says(OK)).place
    before = fds()
    asking = rig.ask(
        {
            "good": http(place, interval=0.01),
            "hanging": http(place, interval=0.01, timeout=0.02),
            "refused": http(f"127.0.0.1:{free_port()}", interval=0.01),
            "command": command("true", interval=0.01),
            "missing": command("/nowhere/check", interval=0.01),
        }[kind]
    )
    rig.until(lambda: len(rig.answers) == 20)
    asking.end()
    rig.until(lambda: not rig.left())
    rig.until(lambda: fds() <= before)


def test_it_is_quiet_between_attempts(rig: Rig, serve: Serve) -> None:
    """No turn of the loop but for an event or a deadline of its own."""
    turns = 0
    rig.ask(Ready(kind="tcp", target=serve(hangs).place, interval=0.3))
    rig.until(lambda: len(rig.answers) == 1)
    while rig.loop._due and len(rig.answers) < 3:
        rig.loop.turn()
        turns += 1
    assert turns < 20
