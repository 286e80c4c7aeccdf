"""How a member, its network and its disk are broken for a while.

A slow disk is told apart from a slow process by nobody who asks from outside, and no machine that
tests run on delays a disk: so the processes of a member stand still for most of the time instead.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def cut_off(address: str) -> Iterator[None]:
    """All packets to and from it are dropped."""
    with dropped(("-d", address), ("-s", address)):
        yield


@contextmanager
def dropped(*rules: tuple[str, ...]) -> Iterator[None]:
    """Packets that one of these is about."""
    for rule in rules:
        subprocess.run(["iptables", "-w", "-I", "INPUT", *rule, "-j", "DROP"], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-w", "-D", "INPUT", *rule, "-j", "DROP"], check=True)


@contextmanager
def slowed(pids: Callable[[], Iterable[int]]) -> Iterator[None]:
    """These processes run for a tenth of a second in each three tenths."""
    ended = threading.Event()

    def slow() -> None:
        while not ended.is_set():
            found: list[int] = []
            with suppress(OSError, ValueError):
                found = list(pids())
            signalled(found, signal.SIGSTOP)
            ended.wait(0.2)
            signalled(found, signal.SIGCONT)
            ended.wait(0.1)

    with running(slow, ended):
        yield


def signalled(pids: Iterable[int], number: signal.Signals) -> None:
    """Those of them that are there."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        with suppress(OSError):
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
            found += map(int, children.split())
    return found


@contextmanager
def running(work: Callable[[], None], ended: threading.Event) -> Iterator[None]:
    """Beside what is done."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A disk of its own that holds so much, at a new folder; whether there is one."""
    folder.mkdir()
    size = f"size={megabytes}m,mode=0777"
    argv = ["mount", "-t", "tmpfs", "-o", size, "gapless-test", str(folder)]
    mounted = subprocess.run(argv, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Nothing more can be written there."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1))
    try:
        yield
    finally:
        ballast.unlink()


def need_filter() -> None:
    """Skip where packets cannot be dropped, unless everything has to run."""
    argv = ["iptables", "-w", "-S", "INPUT"]
    able = shutil.which("iptables") and os.geteuid() == 0
    if able and subprocess.run(argv, capture_output=True, check=False).returncode == 0:
        return
    need("iptables and root are needed to drop packets")


def need(told: str) -> None:
    """Skip for this reason, unless everything has to run."""
    if os.environ.get("GAPLESS_LAB") == "required":
        pytest.fail(told)
    pytest.skip(told)
