"""Real servers for claims, each started for a test module and gone with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


def missing(reason: str) -> None:
    if os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(f"GAPLESS_LAB=required, but {reason}", pytrace=False)
    pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def redis_server() -> Iterator[Redis]:
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server is not installed (scripts/packages)")
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        server = Redis(program, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()


class Redis:
    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "redis.sock"
        self.url = f"redis+unix://{self.socket}?db=0"

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--port", "0", "--unixsocket", str(self.socket), "--save", "",
                 "--dir", str(self._folder), "--maxmemory-policy", "noeviction"],
                stdout=log, stderr=log,
            )  # fmt: skip
        _until(lambda: _answers(self.socket))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.socket.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.settimeout(2)
            trial.connect(str(path))
            trial.sendall(b"PING\r\n")
            return trial.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def postgresql_server() -> Iterator[Postgresql]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        missing("postgresql is not installed (scripts/packages)")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = Postgresql(found[-1].parent, folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


class Postgresql:
    """Refuses to run as root: then it runs as nobody."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._user = NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(folder, NOBODY, NOBODY)
        self._port = _free_port()
        self.url = f"postgresql://tester@127.0.0.1:{self._port}/postgres"
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "tester", "--auth=trust", "-N",
             "--locale=C", "-E", "UTF8"],
            user=self._user, group=self._user, check=True, capture_output=True, cwd="/",
        )  # fmt: skip

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", "-h", "127.0.0.1",
                 "-p", str(self._port), "-k", "", "-c", "fsync=off"],
                user=self._user, group=self._user, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        _until(self._ready)

    def _ready(self) -> bool:
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(ready, cwd="/").returncode == 0

    def kill(self) -> None:
        """At once, with all its children."""
        if self._process is not None:
            # the quick way of the server itself: children end with their parent
            self._process.send_signal(3)
            self._process.wait(20)
            self._process = None


def _until(true: object, seconds: float = 20.0) -> None:
    assert callable(true)
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "the server does not answer"
        time.sleep(0.02)
