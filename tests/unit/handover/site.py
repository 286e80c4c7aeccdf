"""A folder with two copies in it, in this process or in their own ones."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gapless.handover import Handover

PROGRAM = Path(__file__).with_name("program.py")


def variables(folder: Path, name: str, epoch: int = 1, **others: object) -> dict[str, str]:
    given = {"DIR": folder, "ID": name, "EPOCH": epoch, **others}
    return {f"HANDOVER_{key}": str(value) for key, value in given.items()}


def now_ms() -> int:
    return int(time.time() * 1000)


def state(folder: Path, phase: str = "done", **others: Any) -> None:
    """``active=6, next=7``: epochs; copies are named bot-EPOCH."""
    said: dict[str, Any] = {
        "protocol": "handover/1",
        "service": "bot",
        "phase": phase,
        "active": None,
        "next": None,
        "lock": phase != "done",
        "skew_ms": 0,
        "horizon_ms": 900_000,
        **others,
    }
    for key in ("active", "next"):
        if isinstance(said[key], int):
            said[key] = {"id": f"bot-{said[key]}", "epoch": said[key]}
    said.setdefault("latest", max((said[k] or {"epoch": 0})["epoch"] for k in ("active", "next")))
    fresh = folder / ".state"
    fresh.write_text(json.dumps(said))
    fresh.rename(folder / "state.json")


def request(where: Path | tuple[str, int], method: str, target: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("localhost", timeout=5)
    if isinstance(where, Path):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(5)
        connection.sock.connect(str(where))
    else:
        connection.sock = socket.create_connection(where, 5)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


async def ask(folder: Path, name: str, method: str, target: str) -> tuple[int, dict[str, Any]]:
    return await asyncio.to_thread(request, folder / f"ctl-{name}.sock", method, target)


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.002)


def wait_until(true: Callable[[], object], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.002)


def handover(given: dict[str, str], *units: str, **others: Any) -> Handover:
    return Handover.from_environment(units, variables=given, **others)


class Process:
    """One copy of ``program.py``."""

    def __init__(self, folder: Path, name: str, epoch: int, *arguments: str, **others: object):
        self.folder, self.name = folder, name
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("HANDOVER_")
        }
        self.errors = folder / f"{name}.errors"
        with self.errors.open("a") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments],
                env=environment | variables(folder, name, epoch, **others),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )

    def ask(self, method: str, target: str) -> tuple[int, dict[str, Any]]:
        return request(self.folder / f"ctl-{self.name}.sock", method, target)

    @property
    def status(self) -> dict[str, Any]:
        """Empty as long as nobody answers."""
        try:
            status = self.ask("GET", "/handover")[1]
        except (OSError, http.client.HTTPException):
            return {}
        return status if status.get("pid", self.popen.pid) == self.popen.pid else {}

    def is_in(self, state: str) -> bool:
        assert self.popen.poll() is None, self.errors.read_text()
        return self.status.get("state") == state

    def reaches(self, state: str) -> Process:
        wait_until(lambda: self.is_in(state))
        return self

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def end(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(10)
