"""A proxy with its loop in the test's own thread; clients and copies are threads."""

from __future__ import annotations

import gc
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gapless.supervisor.loop import Loop
from gapless.supervisor.proxied import Flow, Proxied
from gapless.supervisor.proxy import ProxyServer


def listening(family: int = socket.AF_INET, address: object = None) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address or (("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))  # type: ignore[arg-type]
    one.listen(1024)
    one.settimeout(20)
    return one


def target_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    if isinstance(name, bytes):
        return "unix:@" + name[1:].decode()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"{host}:{name[1]}"


def reset(one: socket.socket) -> None:
    """Close by RST."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def seen(one: socket.socket, size: int = 1) -> bytes | None:
    """What is there to read, left in place; None when there is nothing yet."""
    one.settimeout(0)
    try:
        return one.recv(size, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    finally:
        one.settimeout(20)


def read_all(one: socket.socket) -> bytes:
    parts = []
    while part := one.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def descriptors() -> int:
    """Those that are in use: what earlier tests dropped may be closed at any time."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


class Copy:
    """A running copy: ``serve`` is called with each connection, in a thread of its own."""

    def __init__(
        self,
        serve: Callable[[socket.socket], None],
        family: int = socket.AF_INET,
        address: object = None,
    ) -> None:
        self.listener = listening(family, address)
        self.target = target_of(self.listener)
        self.served = 0
        self._over = False
        self._serve = serve
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._threads: list[threading.Thread] = []
        self._thread.start()

    def close(self) -> None:
        self._over = True
        with socket.socket(self.listener.family) as last:
            last.connect(self.listener.getsockname())
        self._thread.join(5)
        self.listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            one, _ = self.listener.accept()
            if self._over:
                one.close()
                return
            self.served += 1
            thread = threading.Thread(target=self._one, args=(one,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, one: socket.socket) -> None:
        one.settimeout(20)
        with one:
            try:
                self._serve(one)
            except OSError:
                return


def echo(one: socket.socket) -> None:
    while part := one.recv(1 << 16):
        one.sendall(part)


def answer_at_end(one: socket.socket) -> None:
    """Reads until the end of the request, and only then answers."""
    one.sendall(b"got %d" % len(read_all(one)))


def named(name: bytes) -> Callable[[socket.socket], None]:
    """Says its name for each line."""

    def serve(one: socket.socket) -> None:
        while one.recv(1):
            one.sendall(name)

    return serve


class Rig:
    """One loop, one proxy, its clients."""

    def __init__(self, listener: socket.socket) -> None:
        self.loop = Loop()
        self.listener = listener
        listener.setblocking(False)
        self.address = listener.getsockname()
        self.proxy = ProxyServer(self.loop, listener)
        self.turns = 0
        self._clients: list[socket.socket] = []

    def client(self) -> socket.socket:
        one = socket.socket(self.listener.family, socket.SOCK_STREAM)
        one.settimeout(20)
        one.connect(self.address)
        self._clients.append(one)
        return one

    def drive(self, until: Callable[[], object], seconds: float = 20.0) -> None:
        """Turn the loop until it is so."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "not within its time"
            tick = self.loop.after(0.005, lambda: None)
            self.loop.turn()
            tick.cancel()
            self.turns += 1

    def during(self, call: Callable[[], object], seconds: float = 20.0) -> None:
        """Turn the loop while a thread does something that is to succeed."""
        failed: list[BaseException] = []

        def run() -> None:
            try:
                call()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.drive(lambda: not thread.is_alive(), seconds)
        if failed:
            raise failed[0]

    def ask(self, one: socket.socket, size: int = 1) -> bytes:
        """One byte there, ``size`` bytes back."""
        got = bytearray()
        one.sendall(b"?")
        one.setblocking(False)

        def answered() -> bool:
            try:
                part = one.recv(size - len(got))
            except BlockingIOError:
                return False
            got.extend(part)
            return len(got) == size or not part

        self.drive(answered)
        one.settimeout(20)
        return bytes(got)

    def sleeps(self, seconds: float = 0.3) -> bool:
        """Whether the loop, left alone, wakes up for nothing in that time."""
        due: list[int] = []
        began = time.monotonic()
        self.loop.after(seconds, lambda: due.append(1))
        self.loop.turn()
        return bool(due) and time.monotonic() - began >= seconds - 0.001

    def flows(self) -> list[Flow]:
        return [flow for one in self.proxied() for flow in one.flows]

    def proxied(self) -> list[Proxied]:
        return [one for some in self.proxy._open.values() for one in some]

    def close(self) -> None:
        self.proxy.close()
        self.listener.close()
        self.loop.close()
        for one in self._clients:
            one.close()


@contextmanager
def rigged(*copies: Copy, listener: socket.socket | None = None) -> Iterator[Rig]:
    """Everything ends with it, and no descriptor is left open."""
    before = descriptors() - len(copies) - (listener is not None)
    rig = Rig(listener or listening())
    try:
        yield rig
    finally:
        rig.close()
        for copy in copies:
            copy.close()
        left = descriptors()
    assert left <= before, "a descriptor was left open"
