"""A supervisor as a process of its own, on a free port, and what is left when it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gapless.supervisor import processes, rundir
from gapless.supervisor.spec import Listen, Ready, Spec, Stop
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
PYTHON = (sys.executable, "-I", "-S")
LIMIT = 20.0
"""Seconds in which everything that is waited for has to come."""
BECOME = """\
import sys
sys.path[:0] = sys.argv[2:]
from gapless.supervisor.launching import become
from gapless.supervisor.spec import Spec
become(Spec.from_json(open(sys.argv[1]).read()))
"""
"""What ``gapless run`` does once it has read its configuration."""


def until(true: Callable[[], Any], what: str = "", limit: float = LIMIT) -> Any:
    """Wait for something to be the case; its value."""
    end = time.monotonic() + limit
    while not (value := true()):
        assert time.monotonic() < end, f"not within {limit} s: {what or true}"
        time.sleep(0.005)
    return value


def serve(*flags: str) -> tuple[str, ...]:
    """The small web server."""
    return (*PYTHON, str(PROGRAMS / "serve.py"), *flags)


@dataclass
class Asked:
    """A request that was sent and not answered yet."""

    connected: socket.socket
    heard: bytes = b""

    def reply(self, limit: float = LIMIT) -> dict[str, Any]:
        """Wait for the answer."""
        self.connected.settimeout(limit)
        with self.connected:
            while part := self.connected.recv(65536):
                self.heard += part
        assert self.heard, "the supervisor hung up without a word"
        answer: dict[str, Any] = json.loads(self.heard)
        return answer


@dataclass
class Rig:
    """One supervised process; ``spec`` is changed before ``start``."""

    folder: Path
    spec: Spec
    process: subprocess.Popen[bytes] = field(init=False)
    package: str = ""
    """Folder that holds the package that runs, when it is not this one."""
    front: str = ""
    """Where clients come, when that is not the first listener."""
    release: Path = field(init=False)
    """Read by the web server when it starts: VERSION=, BEHAVIOUR=."""

    def __post_init__(self) -> None:
        self.release = self.folder / "release"
        self.publish("1")

    @classmethod
    def web(cls, folder: Path, *flags: str, **changes: Any) -> Rig:
        """The web server behind a listener of the supervisor, ready by READY=1."""
        spec = Spec(
            name="web",
            command=serve("--notify", "--release", str(folder / "release"), *flags),
            listen=(Listen("http", f"tcp://127.0.0.1:{free_port()}"),),
            ready=Ready("notify"),
            settle=0.2,
            start_timeout=10.0,
            stop=Stop(timeout=5.0),
        )
        return cls(folder, replace(spec, **changes))

    @property
    def address(self) -> str:
        """Where clients come."""
        return self.front or self.spec.listen[0].address.removeprefix("tcp://")

    @property
    def pid(self) -> int:
        return self.process.pid

    def publish(self, version: str, behaviour: str = "") -> None:
        """What the next copy is."""
        self.release.write_text(f"VERSION={version}\nBEHAVIOUR={behaviour}\n")

    def start(self, *, ready: bool = True, **more: Any) -> Rig:
        """Start the supervisor; until it serves."""
        file = self.folder / "spec.json"
        file.write_text(self.spec.to_json())
        words = [BECOME, str(file), *([self.package] if self.package else [])]
        argv = [*more.pop("wrapper", ()), sys.executable, "-c", *words]
        environment = {**os.environ, **more.pop("environment", {})}
        given = more.pop("out", None)

        def begin() -> None:
            with given or open(self.folder / "output", "ab") as out:
                self.process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, **more
                )

        begin()
        if ready and given is None:
            self._comes_up(begin)
        elif ready:
            self.serves()
        return self

    def _comes_up(self, begin: Callable[[], None]) -> None:
        """On a busy machine the first copy may miss a limit that is short for the sake of the
        others: then all of it is started again."""

        def serves() -> dict[str, Any] | None:
            if self.process.poll() is not None:
                begin()
            return self._idle()

        until(serves, "the first copy to serve")

    def serves(self) -> dict[str, Any]:
        """Until a copy is active and nothing is under way."""
        told: dict[str, Any] = until(self._idle)
        return told

    def _idle(self) -> dict[str, Any] | None:
        told = self.status()
        return told if told and told["active"] and told["state"] == "idle" else None

    def ask(self, verb: str, **more: Any) -> Asked:
        """Send a request."""
        connected = until(self._connected, "the control socket")
        connected.sendall(json.dumps({"verb": verb, **more}).encode() + b"\n")
        return Asked(connected)

    def _connected(self) -> socket.socket | None:
        with contextlib.suppress(LookupError):
            return rundir.connect(self.spec.name)
        return None

    def flip(self) -> dict[str, Any]:
        """And wait for the result."""
        return self.ask("flip").reply()

    def status(self) -> dict[str, Any] | None:
        """None while it cannot be asked."""
        with contextlib.suppress(LookupError, OSError, AssertionError):
            connected = rundir.connect(self.spec.name)
            connected.sendall(b'{"verb": "status"}\n')
            return Asked(connected).reply()
        return None

    def active(self) -> int:
        """The process of the active copy."""
        status = self.status()
        return int(status["active"]["pid"]) if status and status["active"] else 0

    def get(self, path: str = "/") -> str:
        """The body, over a new connection."""
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as to:
            to.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            heard = b""
            while part := to.recv(65536):
                heard += part
        return heard.partition(b"\r\n\r\n")[2].decode()

    def version(self) -> str:
        """Of the copy that answers."""
        return self.get().split()[2]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, limit: float = LIMIT) -> int:
        """Its exit code, -n for a signal."""
        return self.process.wait(limit)

    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def everybody(self) -> list[int]:
        """All living processes that were started by this supervisor or its copies."""
        prefix = f"RIG_FOLDER={self.folder}".encode()
        return [pid for pid in processes.everybody() if pid != os.getpid() and _has(pid, prefix)]

    def nobody_left(self) -> None:
        """Until everything of it has ended."""
        until(lambda: not self.everybody(), f"the end of {self.everybody()}")

    def close(self) -> None:
        """End what a failed test left."""
        if hasattr(self, "process"):
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(LIMIT)
        for pid in self.everybody():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _has(pid: int, variable: bytes) -> bool:
    try:
        found = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return variable in found and processes.session(pid) != -1


@contextlib.contextmanager
def rigged(folder: Path, patch: Any) -> Iterator[Callable[..., Rig]]:
    """Makes web rigs; all of them are gone afterwards."""
    made: list[Rig] = []
    patch.setenv("GAPLESS_RUN_DIR", str(folder / "run"))
    patch.setenv("RIG_FOLDER", str(folder))

    def web(*flags: str, **changes: Any) -> Rig:
        made.append(Rig.web(folder, *flags, **changes))
        return made[-1]

    try:
        yield web
    finally:
        for rig in made:
            rig.close()
