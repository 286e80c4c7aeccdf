"""The layer-4 proxy, with real sockets."""

from __future__ import annotations

import json
import os
import random
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gapless.supervisor.loop import Loop
from gapless.supervisor.proxied import BOUND
from gapless.supervisor.proxy import ProxyServer, address_of
from tests.unit.supervisor.proxy_rig import (
    Copy,
    answer_at_end,
    echo,
    listening,
    named,
    read_all,
    reset,
    rigged,
    seen,
    target_of,
)

MANY = 10_000_000


def _forgotten(one: socket.socket) -> bool:
    """Whether the proxy closed it, without waiting."""
    try:
        return seen(one) == b""
    except ConnectionError:
        return True


def _place(kind: str, folder: Path, name: str) -> tuple[int, object]:
    if kind == "v6":
        return socket.AF_INET6, ("::1", 0)
    if kind == "unix":
        return socket.AF_UNIX, str(folder / name)
    if kind == "abstract":
        return socket.AF_UNIX, f"\0{name}-{os.getpid()}-{time.monotonic_ns()}"
    return socket.AF_INET, ("127.0.0.1", 0)


def _both_ways(one: socket.socket, sent: bytes) -> bytes:
    def send() -> None:
        one.sendall(sent)
        one.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    got = read_all(one)
    sender.join(5)
    return got


@pytest.mark.parametrize("outside", ["v4", "v6", "unix"])
@pytest.mark.parametrize("inside", ["v4", "v6", "unix", "abstract"])
def test_everything_arrives_both_ways(outside: str, inside: str, tmp_path: Path) -> None:
    sent = random.Random(1).randbytes(MANY)
    copy = Copy(echo, *_place(inside, tmp_path, "copy"))
    with rigged(copy, listener=listening(*_place(outside, tmp_path, "proxy"))) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()
        got: list[bytes] = []
        rig.during(lambda: got.append(_both_ways(client, sent)), 60)
        assert got[0] == sent
        rig.drive(lambda: not rig.proxy.connections(1))


def test_the_end_of_the_request_is_passed_on_and_the_answer_comes_back() -> None:
    copy = Copy(answer_at_end)
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()
        client.sendall(b"x" * 100_000)
        client.shutdown(socket.SHUT_WR)
        got: list[bytes] = []
        rig.during(lambda: got.append(read_all(client)))
        assert got == [b"got 100000"]
        rig.drive(lambda: not rig.proxy.connections(1))


def test_the_end_of_the_answer_is_passed_on_and_the_request_goes_on() -> None:
    received: list[bytes] = []

    def serve(one: socket.socket) -> None:
        one.sendall(b"enough")
        one.shutdown(socket.SHUT_WR)
        received.append(read_all(one))

    copy = Copy(serve)
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()
        rig.during(lambda: received.append(read_all(client)))
        assert received == [b"enough"] and rig.proxy.connections(1) == 1
        client.sendall(b"still here")
        client.close()
        rig.drive(lambda: not rig.proxy.connections(1))
        rig.drive(lambda: received == [b"enough", b"still here"])


def test_a_client_that_sends_and_goes_loses_nothing(tmp_path: Path) -> None:
    received: list[bytes] = []
    slow = threading.Event()

    def serve(one: socket.socket) -> None:
        assert slow.wait(20)
        received.append(read_all(one))

    copy = Copy(serve)
    proxied = listening(socket.AF_UNIX, str(tmp_path / "proxy"))
    with rigged(copy, listener=proxied) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()

        def send() -> None:
            client.sendall(b"x" * MANY)
            client.close()

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        rig.drive(lambda: any(flow.rest for flow in rig.flows()))
        slow.set()
        rig.drive(lambda: received, 60)
        sender.join(5)
        assert len(received[0]) == MANY
        rig.drive(lambda: not rig.proxy.connections(1))


@pytest.mark.parametrize("reader", ["client", "copy"])
def test_a_slow_reader_holds_up_the_sender_and_no_more_than_the_bound_is_held(
    reader: str,
) -> None:
    go_on = threading.Event()
    sent, got = [0], [0]

    def slow(one: socket.socket) -> None:
        assert go_on.wait(30)
        while part := one.recv(1 << 16):
            got[0] += len(part)

    def fast(one: socket.socket) -> None:
        piece = b"x" * 100_000
        while sent[0] < 4 * MANY:
            one.sendall(piece)
            sent[0] += len(piece)
        one.shutdown(socket.SHUT_WR)

    copy = Copy(slow if reader == "copy" else fast)
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()
        end = slow if reader == "client" else fast
        thread = threading.Thread(target=end, args=(client,), daemon=True)
        thread.start()
        most, since, last = [0], [time.monotonic()], [-1]

        def look() -> None:
            most[0] = max([most[0], *(len(flow.rest) for flow in rig.flows())])
            if sent[0] != last[0]:
                last[0], since[0] = sent[0], time.monotonic()

        def stuck() -> bool:
            look()
            return bool(most[0]) and time.monotonic() - since[0] > 0.3

        rig.drive(stuck)
        assert sent[0] < 4 * MANY and rig.sleeps()
        go_on.set()

        def done() -> bool:
            look()
            return got[0] == 4 * MANY

        rig.drive(done, 60)
        assert 0 < most[0] <= BOUND
        rig.drive(lambda: not thread.is_alive())


def test_200_connections_stay_where_they_are_and_new_ones_go_to_the_new_copy() -> None:
    old, new = Copy(named(b"old")), Copy(named(b"new"))
    with rigged(old, new) as rig:
        rig.proxy.point(1, old.target)
        early = [rig.client() for _ in range(200)]
        assert {rig.ask(one, 3) for one in early} == {b"old"}
        rig.proxy.point(2, new.target)
        late = [rig.client() for _ in range(200)]
        assert {rig.ask(one, 3) for one in late} == {b"new"}
        assert {rig.ask(one, 3) for one in early} == {b"old"}
        assert rig.proxy.connections(1) == rig.proxy.connections(2) == 200
        assert (old.served, new.served) == (200, 200)
        idle: list[int] = []
        rig.proxy.when_idle(1, lambda: idle.append(rig.proxy.connections(1)))
        for one in early[1:]:
            one.close()
        rig.drive(lambda: rig.proxy.connections(1) == 1)
        assert not idle and rig.ask(early[0], 3) == b"old"
        early[0].close()
        rig.drive(lambda: idle)
        assert idle == [0] and {rig.ask(one, 3) for one in late} == {b"new"}
        for one in late:
            one.close()
        rig.drive(lambda: not rig.proxy.connections(2))
        assert idle == [0]


def test_nothing_is_lost_while_new_connections_come_all_the_time() -> None:
    copies = Copy(named(b"a")), Copy(named(b"b"))
    with rigged(*copies) as rig:
        rig.proxy.point(1, copies[0].target)
        answers: list[bytes] = []

        def clients() -> None:
            for _ in range(300):
                with socket.create_connection(rig.address, timeout=20) as one:
                    one.sendall(b"?")
                    answers.append(one.recv(1))

        threads = [threading.Thread(target=clients, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for generation in range(2, 42):
            seen = len(answers)
            rig.drive(lambda seen=seen: len(answers) >= min(1200, seen + 25))  # type: ignore[misc]
            rig.proxy.point(generation, copies[generation % 2].target)
        rig.drive(lambda: not any(thread.is_alive() for thread in threads))
        assert len(answers) == 1200 and set(answers) == {b"a", b"b"}


def test_idle_at_once_is_told_by_the_loop() -> None:
    with rigged() as rig:
        told: list[int] = []
        rig.proxy.when_idle(7, lambda: told.append(7))
        assert not told
        rig.loop.turn()
        assert told == [7] and rig.sleeps(0.05) and told == [7]


def test_cut_closes_one_generation_only() -> None:
    old, new = Copy(named(b"old")), Copy(named(b"new"))
    with rigged(old, new) as rig:
        rig.proxy.point(1, old.target)
        early = [rig.client() for _ in range(5)]
        assert {rig.ask(one, 3) for one in early} == {b"old"}
        rig.proxy.point(2, new.target)
        late = rig.client()
        assert rig.ask(late, 3) == b"new"
        idle: list[int] = []
        rig.proxy.when_idle(1, lambda: idle.append(1))
        rig.proxy.cut(1)
        rig.drive(lambda: idle)
        assert all(_forgotten(one) for one in early) and rig.ask(late, 3) == b"new"
        assert (rig.proxy.connections(1), rig.proxy.connections(2)) == (0, 1)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_refused_client_reaches_the_copy_that_comes_next(tmp_path: Path) -> None:
    new = Copy(named(b"new"))
    with rigged(new) as rig:
        rig.proxy.point(1, f"unix:{tmp_path}/nobody")
        client = rig.client()
        rig.drive(lambda: rig.proxy.connections(1) and rig.proxied()[0].attempts >= 3)
        idle: list[int] = []
        rig.proxy.when_idle(1, lambda: idle.append(1))
        rig.proxy.point(2, new.target)
        assert rig.ask(client, 3) == b"new"
        assert (rig.proxy.connections(1), rig.proxy.connections(2)) == (0, 1) and idle == [1]


def test_a_copy_that_listens_a_little_late_loses_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "late")
    with rigged() as rig:
        rig.proxy.point(1, f"unix:{path}")
        client = rig.client()
        rig.drive(lambda: rig.proxy.connections(1) and rig.proxied()[0].attempts >= 2)
        late = Copy(named(b"late"), socket.AF_UNIX, path)
        assert rig.ask(client, 4) == b"late"
        client.close()
        rig.drive(lambda: not rig.proxy.connections(1))
        late.close()


def test_a_client_nobody_takes_is_closed_after_a_second() -> None:
    with rigged() as rig:
        rig.proxy.point(1, f"127.0.0.1:{_free_port()}")
        began = time.monotonic()
        client = rig.client()
        rig.drive(lambda: _forgotten(client))
        assert 1.0 <= time.monotonic() - began < 3
        assert not rig.proxy.connections(1) and rig.sleeps()


def test_a_copy_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    busy = listening(socket.AF_UNIX, str(tmp_path / "busy"))
    busy.listen(0)
    taken = socket.socket(socket.AF_UNIX)
    taken.connect(str(tmp_path / "busy"))
    with rigged() as rig:
        rig.proxy.point(1, target_of(busy))
        client = rig.client()
        end = time.monotonic() + 1.3
        rig.drive(lambda: time.monotonic() > end)
        assert rig.proxy.connections(1) == 1 and not _forgotten(client)
        first, _ = busy.accept()
        rig.drive(lambda: rig.flows())
        second, _ = busy.accept()
        second.sendall(b"!")
        rig.drive(lambda: seen(client) == b"!")
        first.close()
        second.close()
    taken.close()
    busy.close()


def test_a_reset_of_the_client_reaches_the_copy() -> None:
    copy = listening()
    with rigged() as rig:
        rig.proxy.point(1, target_of(copy))
        client = rig.client()
        client.sendall(b"half a request")
        rig.drive(lambda: rig.flows())
        inside, _ = copy.accept()
        assert inside.recv(100) == b"half a request"
        reset(client)
        rig.drive(lambda: not rig.proxy.connections(1))
        with pytest.raises(ConnectionResetError):
            inside.recv(1)
        inside.close()
    copy.close()


def test_a_reset_of_the_copy_is_no_proper_end_of_the_answer() -> None:
    copy = listening()
    with rigged() as rig:
        rig.proxy.point(1, target_of(copy))
        client = rig.client()
        rig.drive(lambda: rig.flows())
        inside, _ = copy.accept()
        inside.sendall(b"half an answer")
        rig.drive(lambda: len(seen(client, 14) or b"") == 14)
        reset(inside)
        rig.drive(lambda: not rig.proxy.connections(1))
        assert client.recv(100) == b"half an answer"
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    copy.close()


def test_a_reset_is_noticed_after_the_end_of_the_request() -> None:
    copy = listening()
    with rigged() as rig:
        rig.proxy.point(1, target_of(copy))
        client = rig.client()
        client.shutdown(socket.SHUT_WR)
        rig.drive(lambda: rig.flows() and rig.flows()[0].ended)
        assert rig.sleeps() and rig.proxy.connections(1) == 1
        inside, _ = copy.accept()
        inside.sendall(b"x")
        rig.drive(lambda: seen(client))
        client.close()  # with something unread: a reset
        rig.drive(lambda: not rig.proxy.connections(1))
        inside.close()
    copy.close()


def test_an_early_answer_arrives_though_the_copy_does_not_read_the_request() -> None:
    def serve(one: socket.socket) -> None:
        one.recv(10)
        one.sendall(b"too large")

    copy = Copy(serve)
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        client = rig.client()
        client.sendall(b"x" * 100_000)
        got: list[bytes] = []
        rig.during(lambda: got.append(client.recv(9, socket.MSG_WAITALL)))
        assert got == [b"too large"]
        rig.drive(lambda: not rig.proxy.connections(1))


@pytest.mark.parametrize("state", ["unpointed", "paused", "open", "half", "answered", "closed"])
def test_it_sleeps_when_there_is_nothing_to_do(state: str) -> None:
    copy = listening()
    with rigged() as rig:
        inside = None
        if state == "unpointed":
            rig.client()
        elif state == "paused":
            rig.proxy.point(1, target_of(copy))
            rig.proxy.pause()
            rig.client()
        else:
            rig.proxy.point(1, target_of(copy))
            client = rig.client()
            rig.drive(lambda: rig.flows())
            inside, _ = copy.accept()
            if state == "half":
                client.shutdown(socket.SHUT_WR)
            elif state == "answered":
                inside.shutdown(socket.SHUT_WR)
            elif state == "closed":
                client.close()
            if state != "open":
                rig.drive(lambda: any(flow.ended for flow in rig.flows()))
        assert rig.sleeps()
        if inside is not None:
            inside.close()
    copy.close()


def test_paused_clients_wait_in_the_kernel_and_are_served_afterwards() -> None:
    copy = Copy(named(b"!"))
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        rig.proxy.pause()
        clients = [rig.client() for _ in range(50)]
        assert rig.sleeps() and not rig.proxy.connections(1)
        rig.proxy.resume()
        assert {rig.ask(one) for one in clients} == {b"!"}


def test_a_flood_leaves_room_for_others_in_each_turn() -> None:
    copy = listening()
    with rigged() as rig:
        clients = [rig.client() for _ in range(100)]
        rig.proxy.point(1, target_of(copy))
        rig.loop.turn()
        assert 0 < rig.proxy.connections(1) < 50
        rig.drive(lambda: rig.proxy.connections(1) == len(clients))
    copy.close()


@contextmanager
def _few_descriptors(more: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_clients_cannot_take_the_last_descriptors_and_the_wait_for_one_does_not_spin() -> None:
    copy = Copy(named(b"!"))
    with rigged(copy) as rig:
        clients = [rig.client() for _ in range(10)]
        with _few_descriptors(100):
            rig.proxy.point(1, copy.target)
            rig.turns = 0
            began = time.monotonic()
            while time.monotonic() - began < 0.5:
                rig.loop.turn()
                rig.turns += 1
            assert not rig.proxy.connections(1) and rig.turns <= 14
            os.close(os.dup(0))
        assert {rig.ask(one) for one in clients} == {b"!"}


class _Exhausted(socket.socket):
    """No descriptor for anybody."""

    tried = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tried += 1
        raise OSError(24, "Too many open files")


def test_no_descriptor_at_accept_is_tried_again_when_a_connection_ends_or_after_a_while() -> None:
    inside = listening()
    outside = _Exhausted()
    outside.bind(("127.0.0.1", 0))
    outside.listen()
    with rigged(listener=outside) as rig:
        rig.client()
        rig.proxy.point(1, target_of(inside))
        rig.loop.turn()
        assert outside.tried == 1
        began = time.monotonic()
        rig.loop.turn()
        rig.loop.turn()
        assert outside.tried == 2 and time.monotonic() - began >= 0.09
        rig.proxy._release()  # what the end of a connection does
        rig.loop.turn()
        assert outside.tried == 3
    inside.close()


def test_close_ends_all_and_tells_nobody() -> None:
    copy = Copy(named(b"!"))
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        clients = [rig.client() for _ in range(5)]
        assert {rig.ask(one) for one in clients} == {b"!"}
        told: list[int] = []
        rig.proxy.when_idle(1, lambda: told.append(1))
        rig.proxy.close()
        assert all(_forgotten(one) for one in clients)
        rig.client()
        assert rig.sleeps() and not told and rig.listener.fileno() > 0


def test_a_proxy_takes_over_the_connections_of_another_as_after_an_exec() -> None:
    sent = random.Random(2).randbytes(MANY)
    copy, nobody = Copy(echo), f"127.0.0.1:{_free_port()}"
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)
        busy, ending = rig.client(), rig.client()
        ending.sendall(b"bye")
        ending.shutdown(socket.SHUT_WR)
        got: list[bytes] = []
        slow = threading.Event()

        def read_late() -> None:
            assert slow.wait(20)
            got.append(read_all(busy))

        threads = [
            threading.Thread(target=read_late, daemon=True),
            threading.Thread(target=busy.sendall, args=(sent,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        rig.drive(lambda: any(flow.rest for flow in rig.flows()))
        rig.proxy.point(2, nobody)
        late = rig.client()
        rig.drive(lambda: rig.proxy.connections(2))
        rig.proxy.pause()
        state = json.loads(json.dumps(rig.proxy.state()))
        for one in rig.proxied():  # an exec forgets the objects; the descriptors stay
            one._client.detach()
            if one._target is not None:
                one._target.detach() if one.flows else one._target.close()
        rig.loop.close()
        rig.loop = Loop()
        rig.proxy = ProxyServer(rig.loop, rig.listener)
        rig.proxy.point(3, copy.target)
        rig.proxy.restore(state)
        assert rig.proxy.connections(3) == 1 and rig.ask(late) == b"?"
        slow.set()
        rig.during(threads[1].join)
        busy.shutdown(socket.SHUT_WR)
        rig.during(threads[0].join)
        assert got == [sent] and ending.recv(10) == b"bye"
        rig.drive(lambda: not rig.proxy.connections(1))


def test_2000_connections_leave_no_descriptor() -> None:
    copy = Copy(named(b"!"))
    with rigged(copy) as rig:
        rig.proxy.point(1, copy.target)

        def clients() -> None:
            for number in range(2000):
                with socket.create_connection(rig.address, timeout=20) as one:
                    one.sendall(b"?")
                    if number % 3:
                        assert one.recv(1) == b"!"
                    if number % 5 == 0:
                        reset(one)

        rig.during(clients, 60)
        rig.drive(lambda: not rig.proxy.connections(1))
        assert not rig.proxy._open and not rig.proxy._waiting
        assert set(rig.loop._ready) == {rig.listener.fileno()}


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "8001",
        "localhost:8001",
        "::1:8001",
        "127.0.0.1:0",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "[::1]",
        "unix:",
        "unix:relative",
        "unix:/" + "x" * 107,
    ],
)
def test_what_is_no_address_is_refused_and_changes_nothing(bad: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        address_of(bad)


def test_addresses() -> None:
    assert address_of("127.0.0.1:80") == (socket.AF_INET, ("127.0.0.1", 80))
    assert address_of("[::1]:80") == (socket.AF_INET6, ("::1", 80))
    assert address_of("unix:/a/b") == (socket.AF_UNIX, "/a/b")
    assert address_of("unix:@a") == (socket.AF_UNIX, "\0a")
