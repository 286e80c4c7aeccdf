"""``gapless pidwatch`` before nginx and gunicorn, upgraded as their documentation has it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .pidwatch_rig import Rig, alive, children, eventually, missing


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.clean()


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _get(port: int) -> bytes:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as got:
        return bytes(got.read())
    return b""


def _pid_in(file: Path) -> int:
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return 0


class TestNginx:
    """A binary upgrade as its documentation has it: USR2, then QUIT to the old one."""

    def start(self, rig: Rig) -> int:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if program is None:
            missing("nginx is not installed (apt-get install nginx-light)")
        port = _port()
        config = rig.folder / "nginx.conf"
        config.write_text(
            f"pid {rig.pidfile}; error_log {rig.folder}/error.log; worker_processes 1;\n"
            "events {}\n"
            f"http {{ access_log off; {_temporary(rig.folder)}\n"
            f"server {{ listen 127.0.0.1:{port}; return 200 'yes'; }} }}\n"
        )
        # in the background: in the foreground it ignores USR2 as long as its parent lives
        rig.start(program, "-c", config, "-e", rig.folder / "error.log", options=())
        eventually(lambda: _get(port) == b"yes", rig.errors)
        self.hold(rig)
        return port

    def hold(self, rig: Rig) -> None:
        for pid in children(rig.keeper):
            for each in (pid, *children(pid)):
                rig.hold(each)
                for below in children(each):
                    rig.hold(below)

    def upgrade(self, rig: Rig) -> int:
        """The old master's number; both run."""
        old = eventually(lambda: _pid_in(rig.pidfile))
        rig.send(signal.SIGUSR2)
        eventually(lambda: _pid_in(rig.pidfile) not in (0, old))
        eventually(lambda: children(_pid_in(rig.pidfile)))
        self.hold(rig)
        return old

    def test_the_upgrade_is_followed(self, rig: Rig) -> None:
        port = self.start(rig)
        for _ in range(2):
            old = self.upgrade(rig)
            os.kill(old, signal.SIGQUIT)
            eventually(lambda old=old: not alive(old))
            eventually(lambda: f"follows process {_pid_in(rig.pidfile)}" in rig.errors())
            assert _get(port) == b"yes"
        workers = children(_pid_in(rig.pidfile))
        rig.send(signal.SIGHUP)
        eventually(lambda: set(workers).isdisjoint(children(_pid_in(rig.pidfile))))
        self.hold(rig)
        rig.send(signal.SIGQUIT)
        assert rig.end() == 0
        assert rig.everybody_gone()

    def test_the_upgrade_is_taken_back(self, rig: Rig) -> None:
        port = self.start(rig)
        old = self.upgrade(rig)
        rig.send(signal.SIGTERM)  # to the new one, which the pidfile names
        eventually(lambda: _pid_in(rig.pidfile) == old)
        assert _get(port) == b"yes"
        rig.send(signal.SIGTERM)
        assert rig.end() == 0
        assert rig.everybody_gone()

    def test_killed_after_an_upgrade_nobody_is_left(self, rig: Rig) -> None:
        port = self.start(rig)
        old = self.upgrade(rig)
        os.kill(old, signal.SIGQUIT)
        eventually(lambda: not alive(old))
        self.hold(rig)
        os.kill(rig.pid, signal.SIGKILL)
        assert rig.everybody_gone()
        assert _get(port) == b""


def _temporary(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


@pytest.fixture
def gunicorn() -> Path:
    """The one of our environment."""
    return Path(sys.executable).with_name("gunicorn")


class TestGunicorn:
    """USR2, then TERM to the old one."""

    def start(self, rig: Rig, gunicorn: Path) -> int:
        port = _port()
        (rig.folder / "app.py").write_text(
            "def app(environ, start):\n    start('200 OK', [])\n    return [b'yes']\n"
        )
        rig.start(gunicorn, "-p", rig.pidfile, "-b", f"127.0.0.1:{port}", "app:app")
        eventually(lambda: _get(port) == b"yes", rig.errors)
        rig.hold(_pid_in(rig.pidfile))
        return port

    def upgrade(self, rig: Rig) -> tuple[int, int]:
        old = _pid_in(rig.pidfile)
        rig.send(signal.SIGUSR2)
        new = eventually(lambda: _pid_in(Path(f"{rig.pidfile}.2")))
        eventually(lambda: children(new))
        for pid in (new, *children(new), *children(old)):
            rig.hold(pid)
        return old, new

    def test_the_upgrade_is_followed(self, rig: Rig, gunicorn: Path) -> None:
        port = self.start(rig, gunicorn)
        _, new = self.upgrade(rig)
        rig.send(signal.SIGTERM)  # to the old one, which the pidfile names
        eventually(lambda: f"follows process {new}" in rig.errors(), rig.errors)
        assert _get(port) == b"yes"
        rig.send(signal.SIGTERM)
        assert rig.end() == 0
        assert rig.everybody_gone()

    def test_killed_after_an_upgrade_nobody_is_left(self, rig: Rig, gunicorn: Path) -> None:
        port = self.start(rig, gunicorn)
        old, new = self.upgrade(rig)
        os.kill(old, signal.SIGTERM)
        eventually(lambda: f"follows process {new}" in rig.errors(), rig.errors)
        os.kill(rig.pid, signal.SIGKILL)
        assert rig.everybody_gone()
        assert _get(port) == b""
