"""A real HAProxy on the machine, with its own config, socket and port."""

from __future__ import annotations

import contextlib
import csv
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.ports import free_port

from .cgroup import Cgroup
from .debian import which
from .shell import LabError

BACKEND = "shop"


@dataclass(frozen=True)
class HAProxySettings:
    """What differs from test to test.

    `retries` 0 shows every connection that fails; with `redispatch` a retry may go to another
    server. `check` is the interval of the health checks in milliseconds.
    """

    retries: int = 0
    redispatch: bool = False
    check: int = 200
    fall: int = 2
    rise: int = 2
    mode: str = "http-keep-alive"
    extra_backend: tuple[str, ...] = field(default=())


class HAProxy:
    """HAProxy in the foreground, for as long as the `with` lasts.

    `servers` maps names to "address:port". It runs as master and worker, so `reload` is the real
    thing; `socket` is the admin socket of the worker. Make it with `Lab.haproxy`: in the lab's
    `cgroup` it goes with the lab, however that ends.
    """

    def __init__(
        self,
        folder: Path,
        servers: Mapping[str, str],
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        settings: HAProxySettings | None = None,
        cgroup: Cgroup | None = None,
    ) -> None:
        self.folder = folder
        self.servers = dict(servers)
        self.settings = settings or HAProxySettings()
        self.address = address
        self.port = port or free_port(address)
        self.socket = folder / "admin.sock"
        self.config = folder / "haproxy.cfg"
        self._cgroup = cgroup
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its front door."""
        return f"http://{self.address}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, timeout: float = 10.0) -> None:
        """Write the config, start, and return when the front door is open."""
        program = which("haproxy")
        if program is None:
            raise LabError("haproxy is not installed")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write_config()
        with (self.folder / "haproxy.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", self._script(program)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_open(time.monotonic() + timeout)
        except LabError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and its workers, and wait for that."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # the group is ours: a new session
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def reload(self) -> None:
        """Write the config again, and have a new worker take over from the old one."""
        if self._process is None:
            raise LabError("haproxy does not run")
        before = self._worker()
        self.write_config()
        self._process.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + 10
        while self._worker() in (None, before):
            if time.monotonic() > deadline:
                raise LabError(f"haproxy did not reload: {self._log()}")
            time.sleep(0.02)

    def wait_up(self, *names: str, timeout: float = 10.0) -> None:
        """Wait until these servers (all, if none is named) passed their checks, and no other one
        is taken for up without."""
        wanted = names or tuple(self.servers)
        deadline = time.monotonic() + timeout
        while not self._passed(wanted):
            if time.monotonic() > deadline:
                raise LabError(f"not all of {wanted} are up: {self.status()}")
            time.sleep(0.05)

    def _passed(self, names: Sequence[str]) -> bool:
        # Servers start as UP: only the last check's result tells that they were asked.
        rows = {name: row for name, row in self.stats().items() if name in self.servers}
        passed = {name for name, row in rows.items() if row["check_status"] == "L7OK"}
        up = {name for name, row in rows.items() if row["status"].startswith("UP")}
        return up <= passed and all(rows[name]["status"] == "UP" for name in names)

    def status(self) -> dict[str, str]:
        """What HAProxy reports of each server: UP, DOWN, DRAIN, MAINT, no check ..."""
        rows = self.stats()
        return {name: row["status"] for name, row in rows.items() if name in self.servers}

    def stats(self) -> dict[str, dict[str, str]]:
        """The rows of `show stat` of our backend, by server name; BACKEND is their sum."""
        lines = self.command("show stat").lstrip("# ").splitlines()
        rows = csv.DictReader(lines)
        return {row["svname"]: row for row in rows if row["pxname"] == BACKEND}

    def command(self, text: str) -> str:
        """Send one command to the runtime API and return its answer."""
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.settimeout(5)
            runtime.connect(str(self.socket))
            runtime.sendall(text.encode() + b"\n")
            with runtime.makefile("rb") as answer:
                return answer.read().decode().strip()

    def write_config(self) -> None:
        """Write the config for the servers and settings there are now."""
        self.config.write_text(self.render())

    def render(self) -> str:
        """The text of the config."""
        chosen = self.settings
        check = f"check inter {chosen.check}ms fall {chosen.fall} rise {chosen.rise}"
        servers = [f"  server {name} {at} {check}" for name, at in self.servers.items()]
        more = [f"  {line}" for line in chosen.extra_backend]
        return f"""\
global
  stats socket {self.socket} mode 600 level admin expose-fd listeners
  stats timeout 60s
  hard-stop-after 5s
  maxconn 4000

defaults
  mode http
  option {chosen.mode}
  retries {chosen.retries}
  {"option redispatch" if chosen.redispatch else "no option redispatch"}
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 1s

frontend door
  bind {self.address}:{self.port}
  default_backend {BACKEND}

backend {BACKEND}
  balance roundrobin
  option httpchk GET /health
  http-check expect status 200
{chr(10).join(servers + more)}
"""

    def _script(self, program: str) -> str:
        run = shlex.join([program, "-W", "-db", "-f", str(self.config)])
        if self._cgroup is None:
            return f"exec {run}"
        self._cgroup.create()
        return f"{self._cgroup.entering()} && exec {run}"

    def _worker(self) -> str | None:
        try:
            info = self.command("show info")
        except OSError:
            return None
        return next((line for line in info.splitlines() if line.startswith("Pid:")), None)

    def _wait_open(self, deadline: float) -> None:
        while self._worker() is None:
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise LabError(f"haproxy did not start: {self._log()}")
            time.sleep(0.02)

    def _log(self) -> str:
        return (self.folder / "haproxy.log").read_text(errors="replace")[-1000:]
