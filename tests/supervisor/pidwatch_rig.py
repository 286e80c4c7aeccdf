"""One ``gapless pidwatch`` before a small daemon, and looks at /proc."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

LIMIT = 20.0
T = TypeVar("T")
DAEMON = '''
"""Logs what it gets; ALRM starts the next generation, TERM ends with this generation's code."""
import os, signal, subprocess, sys, time
folder, generation, pidfile, codes = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
codes_ = codes.split(",")
code = codes_[min(generation, len(codes_)) - 1]

def log(what):
    with open(folder + "/log", "a") as file:
        file.write(f"{generation} {os.getpid()} {what}\\n")

def named(number):
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:  # most real-time signals have none
        return f"RTMIN+{number - signal.SIGRTMIN}"

def got(number, _frame):
    name = named(number)
    log(name)
    if name == "ALRM":
        subprocess.Popen([sys.executable, *sys.orig_argv[1:-4],
                          folder, str(generation + 1), pidfile, codes])
    if name == "TERM" and code != "ignore":
        if code.startswith("-"):
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.kill(os.getpid(), -int(code))
        os._exit(int(code))

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    try:
        signal.signal(number, got)
    except (OSError, ValueError):
        pass
worker = subprocess.Popen(["sleep", "1000"], start_new_session=True)
with open(folder + "/log", "a") as file:
    file.write(f"{generation} {worker.pid} worker\\n")
if pidfile:
    with open(pidfile + ".new", "w") as file:
        file.write(f"{os.getpid()}\\n")
    os.rename(pidfile + ".new", pidfile)
log("ready")
while True:
    time.sleep(1000)
'''


class Rig:
    """One pidwatch, and all that was ever seen below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pidfile = folder / "daemon.pid"
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: dict[int, int] = {}
        """Process number to its pidfd."""

    def start(
        self,
        *command: object,
        pidfile: object = None,
        options: tuple[str, ...] = ("--wait", "1"),
        prefix: tuple[str, ...] = (),
        wait_for: str = "",
    ) -> subprocess.Popen[bytes]:
        words = [*prefix, sys.executable, "-m", "gapless", "pidwatch"]
        words += ["--pidfile", str(pidfile or self.pidfile), *options, "--", *map(str, command)]
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(words, cwd=self.folder, stderr=errors)
        if wait_for:
            self.until(wait_for)
        return self.process

    def daemon(self, codes: str = "0", *, pidfile: object = None) -> list[object]:
        (self.folder / "daemon.py").write_text(DAEMON)
        program = [sys.executable, "-I", "-S", self.folder / "daemon.py"]
        return [*program, self.folder, 1, pidfile or self.pidfile, codes]

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    @property
    def keeper(self) -> int:
        (keeper,) = children(self.pid)
        return keeper

    def log(self) -> list[tuple[int, int, str]]:
        with suppress(FileNotFoundError):
            lines = [line.split() for line in (self.folder / "log").read_text().splitlines()]
            for _, pid, _ in lines:
                self.hold(int(pid))
            return [(int(generation), int(pid), what) for generation, pid, what in lines]
        return []

    def hold(self, pid: int) -> None:
        """So that its end can be seen, and brought about when a test fails."""
        if pid not in self.seen:
            with suppress(ProcessLookupError):
                self.seen[pid] = os.pidfd_open(pid)

    def until(self, what: str, generation: int = 1) -> int:
        """Wait for a line of the log; the process that wrote it."""

        def found() -> int:
            return next((p for g, p, w in self.log() if (g, w) == (generation, what)), 0)

        return eventually(found, lambda: f"{generation} {what} in {self.log()}: {self.errors()}")

    def upgrade(self, generation: int = 2) -> int:
        """The next generation is up; the old one still lives."""
        self.send(signal.SIGALRM)
        return self.until("ready", generation)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        assert self.process
        code = self.process.wait(LIMIT)
        return code if code >= 0 else 128 - code

    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    def everybody_gone(self) -> bool:
        self.log()
        eventually(lambda: not self.living(), lambda: f"still there: {self.living()}")
        return bool(self.seen)

    def living(self) -> list[int]:
        return [pid for pid, fd in self.seen.items() if not select.select([fd], [], [], 0)[0]]

    def clean(self) -> None:
        self.log()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in self.seen.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.close(fd)


def eventually(ask: Callable[[], T], told: Callable[[], str] = lambda: "") -> T:
    until = time.monotonic() + LIMIT
    while not (answer := ask()):
        assert time.monotonic() < until, told()
        time.sleep(0.01)
    return answer


def children(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError, IndexError):
            if name.isdigit():
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                if fields[1] == str(pid):
                    found.append(int(name))
    return found


def alive(pid: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


def asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def missing(what: str) -> None:
    """Skip, unless everything has to run."""
    if os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(what)
    pytest.skip(what)


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
