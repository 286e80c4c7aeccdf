"""The load client counts what it should."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervisor import load as load_module
from tests.supervisor.load import Load, Result, loading
from tests.supervisor.starting import SERVE, address, listener, program, until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n1 2 v3"


@pytest.fixture
def shared() -> Iterator[socket.socket]:
    with listener() as one:
        yield one


def some(to: str, answers: int = 20, **words: object) -> Result:
    """The result after so many have been answered or have failed."""
    load = Load(to, rate=200, connections=4, **words)  # type: ignore[arg-type]
    load.start()
    until(lambda: sum(load.so_far()) >= answers, f"{answers} answers")
    return load.stop()


@contextlib.contextmanager
def server(shared: socket.socket, act: Callable[[socket.socket], None]) -> Iterator[str]:
    """``act`` is done with each connection, one after the other."""
    over = threading.Event()
    shared.settimeout(0.05)

    def work() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                link, _ = shared.accept()
                link.settimeout(5)
                with link, contextlib.suppress(OSError):
                    act(link)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield address(shared)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("connect", ["each", "keep", "both"])
@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_all_is_well(where: str, connect: str, tmp_path: Path) -> None:
    environment = {"GAPLESS_GENERATION": "3", "VERSION": "v9"}
    with (
        listener("" if where == "tcp" else str(tmp_path / "http")) as one,
        program(SERVE, listeners=[one], environment=environment),
    ):
        result = some(address(one), connect=connect)
    assert result.failed == {}
    assert result.ok == result.sent >= 20
    assert result.generations == {"3": result.ok}
    assert result.versions == {"v9": result.ok}
    assert 0 < result.p50 <= result.p99 <= result.most


def test_the_rate_is_kept(shared: socket.socket) -> None:
    with program(SERVE, listeners=[shared]):
        result = some(address(shared), answers=100)
    assert result.sent <= result.seconds * 200 + 5


def test_nobody_listens(shared: socket.socket) -> None:
    place = address(shared)
    shared.close()
    assert set(some(place).failed) == {"each connect"}


def test_another_status(shared: socket.socket) -> None:
    with program(SERVE, "--health", "500", listeners=[shared]):
        result = some(address(shared), path="/health", connect="both")
    assert set(result.failed) == {"each status-500", "keep status-500"}
    assert result.failures_of("each") + result.failures_of("keep") == result.failures == result.sent
    assert result.examples[0]["words"] == "not now\n"


@pytest.mark.parametrize("connect", ["each", "keep"])
def test_closed_without_an_answer(shared: socket.socket, connect: str) -> None:
    with program(SERVE, listeners=[shared]):
        result = some(address(shared), path="/drop", connect=connect)
    assert result.failed == {f"{connect} eof": result.sent}
    assert result.examples[0]["words"] == "before any byte of an answer"


def test_closed_in_the_answer(shared: socket.socket) -> None:
    def half(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(ANSWER[:-3])

    with server(shared, half) as place:
        result = some(place)
    assert result.failed == {"each eof": result.sent}
    assert result.examples[0]["words"] == "in the answer"


def test_reset(shared: socket.socket) -> None:
    def reset(link: socket.socket) -> None:
        link.recv(1000)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with server(shared, reset) as place:
        assert set(some(place).failed) == {"each reset"}


def test_timeout(shared: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "TIMEOUT", 0.1)
    assert set(some(address(shared)).failed) == {"each timeout"}


def test_a_connection_the_server_gives_up_in_words_is_no_failure(shared: socket.socket) -> None:
    def once(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    with server(shared, once) as place:
        result = some(place, connect="keep")
    assert result.failed == {}
    assert result.reopened == result.ok


def test_a_connection_closed_while_idle_is_no_failure(shared: socket.socket) -> None:
    def once(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(ANSWER)

    with server(shared, once) as place:
        load = Load(place, rate=20, connections=1, connect="keep")
        load.start()
        until(lambda: sum(load.so_far()) >= 5, "5 answers")
        result = load.stop()
    assert result.failed == {}
    assert result.reopened >= 4


def test_a_request_written_before_the_close_is_a_failure(shared: socket.socket) -> None:
    def once_and_a_half(link: socket.socket) -> None:
        link.recv(1000)
        link.sendall(ANSWER)
        link.recv(1000)

    with server(shared, once_and_a_half) as place:
        result = some(place, connect="keep")
    assert set(result.failed) == {"keep eof"}
    assert result.ok


def test_it_runs_as_a_process_of_its_own(shared: socket.socket) -> None:
    with program(SERVE, listeners=[shared]), loading(address(shared), connect="both") as running:
        time.sleep(0.3)
        result = running.end()
    assert result is running.result
    assert result.failed == {}
    assert result.sent > 10


def test_the_process_ends_with_the_block(shared: socket.socket) -> None:
    with (
        program(SERVE, listeners=[shared]),
        pytest.raises(KeyError),
        loading(address(shared)) as running,
    ):
        raise KeyError
    assert running.process.returncode == -signal.SIGKILL
    assert not os.path.exists(f"/proc/{running.process.pid}")
