"""A supervisor with a service under it, that can be told to replace it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.flipping.measuring import Endings, Life, Times
from bench.results import ROOT
from tests.ports import free_port

WORK = "2"
"""Milliseconds per request, in which a worker does nothing else."""
SERVE = ROOT / "tests" / "supervisor" / "programs" / "serve.py"
START_WITHIN = 20.0


@dataclass(frozen=True)
class Flip:
    """One replacement. Milliseconds."""

    decide: float
    """First new copy ready to first old one told to stop; below 0 when that came before."""
    took: float
    """Told to flip until the last old process was gone."""


class Stuck(Exception):
    """A flip did not come to its end."""


class Target:
    """Made in a folder of its own; ``where`` is ``tcp`` or ``unix``."""

    name = ""

    def __init__(self, folder: Path, where: str) -> None:
        folder.mkdir(parents=True)
        self.folder, self.where = folder, where
        self.port = 0 if where == "unix" else free_port()
        self.address = f"127.0.0.1:{self.port}" if self.port else str(folder / "http.sock")
        self.times = Times(folder / "times")
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be had here, or ""."""
        return ""

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    @property
    def environment(self) -> dict[str, str]:
        """Over ours."""
        return {"WORK": WORK, "TIMES": str(self.times.path), "PYTHONUNBUFFERED": "1"}

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self.process is not None
        return self.process.pid

    @property
    def own(self) -> list[int]:
        """Its processes that are neither copies nor workers, the supervisor first."""
        return [self.pid]

    def start(self) -> None:
        """Until it answers; raises RuntimeError with its words."""
        with (self.folder / "log").open("wb") as log:
            self.process = self._spawn(log.fileno())
        until = time.monotonic() + START_WITHIN
        while not (self.times.serving() and answers(self.address)):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start:\n{self.words()}")
            time.sleep(0.02)

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(), cwd=ROOT, env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def ask(self) -> None:
        """To flip; does not wait."""
        os.kill(self.pid, signal.SIGHUP)

    def flip(self, seconds: float) -> Flip:
        """Ask, and wait for the old ones to end and as many new ones to be ready."""
        old = self.times.serving()
        if not old:
            raise Stuck("nothing serves")
        endings = Endings(old)
        began = time.monotonic()
        self.ask()
        done = endings.wait(seconds)
        took = time.monotonic() - began
        while done and len(self.times.ready_since(began)) < len(old):
            done = time.monotonic() - began < seconds
            time.sleep(0.005)
        if not done:
            raise Stuck(f"after {seconds:g} s")
        lives = self.times.look()
        return Flip(self._decide(lives, old, began) * 1000, took * 1000)

    def _decide(self, lives: dict[int, Life], old: set[int], began: float) -> float:
        ready = min(life.ready for life in lives.values() if life.ready > began)
        told = [lives[pid].term for pid in old if lives[pid].term]
        return min(told) - ready if told else float("nan")

    def stop(self) -> None:
        """All of it."""
        if self.process is None:
            return
        serving = self.times.serving()
        endings = Endings(serving)
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if not endings.wait(3):
            for pid in serving & self.times.serving():
                os.kill(pid, signal.SIGKILL)

    def words(self) -> str:
        """The last it printed."""
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def serve(self, *flags: str) -> list[str]:
        """The blocking program with these flags."""
        return [
            python(), "-I", "-S", str(SERVE), "--work", WORK, "--times", str(self.times.path),
            *flags,
        ]  # fmt: skip


def python() -> str:
    """Debian's where there is one: what a service would run with."""
    debian = Path("/usr/bin/python3")
    return str(debian) if debian.exists() else str(Path(sys.executable).resolve())


def answers(address: str) -> bool:
    """Whether somebody answers a request there."""
    local = address.startswith("/")
    with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as asker:
        asker.settimeout(2)
        host, _, port = address.rpartition(":")
        try:
            asker.connect(address if local else (host, int(port)))
            asker.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return asker.recv(65536).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
