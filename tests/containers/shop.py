"""An unmodified compose project with one web program, HAProxy before it, and gapless."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from tests.lab.haproxy import HAProxy, HAProxySettings
from tests.lab.load import Load

from . import image
from .engine import Engine
from .fronts import Front

PROGRAM = Path(__file__).with_name("program.py")
INSIDE = 8080


class Shop:
    """``folder`` is the project's, with gapless.yaml beside compose.yaml."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        (folder / "app").mkdir(parents=True)
        shutil.copy(PROGRAM, folder / "app" / "program.py")
        self.service: dict[str, Any] = {
            "image": f"{image.NAME}:1",
            "command": [image.PYTHON, "/app/program.py"],
            "environment": {"VERSION": "1"},
            "volumes": ["./app:/app:ro"],
        }
        self.more: dict[str, Any] = {}
        self.compose: dict[str, Any] = {"directory": str(folder), "socket": engine.socket}
        self.settings: dict[str, Any] = {}
        self.patience = "8s"
        self.proxy: HAProxy | None = None
        self.short: Path | None = None
        self.check = "inter 100ms fall 40"
        """How HAProxy watches a server: patiently, since on a busy machine a program may not answer
        for seconds."""
        self.nodes: list[str] = []
        """Hosts of HAProxy, where it is not seen as one of this machine."""
        self.front: Front | None = None
        self.write()

    def write(self, **environment: str) -> None:
        """The project and gapless.yaml, as they are to be now."""
        self.service["environment"] = {**self.service["environment"], **environment}
        project = {"name": "shop", "services": {"web": self.service}, **self.more}
        (self.folder / "compose.yaml").write_text(yaml.safe_dump(project))
        (self.folder / "gapless.yaml").write_text(yaml.safe_dump(self._gapless()))

    def _gapless(self) -> dict[str, Any]:
        web: dict[str, Any] = {
            "on": ["app1"],
            "compose": self.compose,
            "health": {"http": f"http://{{address}}:{INSIDE}/health", "timeout": self.patience},
            "soak": "300ms",
            **self.settings,
        }
        whole: dict[str, Any] = {
            "project": "site",
            "hosts": {"app1": {"transport": "local", "sudo": False, "python": sys.executable}},
            "services": {"web": web},
        }
        whole["hosts"]["app1"]["state_dir"] = str(self.folder / "host")
        if self.front is not None:
            web["balancer"] = "edge"
            whole["balancers"] = {"edge": self.front.balancer}
        if self.proxy is not None:
            web["balancer"] = "edge"
            dynamic = {
                "address": f"{{address}}:{INSIDE}",
                "options": f"check {self.check} rise 1",
            }
            haproxy = {
                "socket": str(self.proxy.socket),
                "backend": "shop",
                "server": "{service}-{number}-{slot}",
                "dynamic": dynamic,
                "on": self.nodes,
            }
            whole["balancers"] = {"edge": {"haproxy": haproxy}}
        return whole

    def behind_haproxy(self) -> HAProxy:
        """A real one, whose servers come and go."""
        # Its socket's path may have 97 characters; the folder of a test may have more.
        self.short = Path(tempfile.mkdtemp(prefix="gapless-haproxy-"))
        self.proxy = HAProxy(self.short, {}, settings=HAProxySettings(check=100))
        self.proxy.start()
        self.write()
        return self.proxy

    def behind(self, front: Front) -> None:
        """A balancer of another kind."""
        self.front = front
        front.start()
        self.write()

    def up(self, *words: str) -> None:
        """As its owner does."""
        self.docker("compose", "up", "--detach", "--quiet-pull", *words)

    def docker(self, *words: str) -> str:
        return self.engine.docker(*words, cwd=self.folder)

    def run(self, *args: str, check: int | None = 0, env: Mapping[str, str] | None = None) -> str:
        """The command to its end; its whole output."""
        done = subprocess.run(
            [sys.executable, "-m", "gapless", *args],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            capture_output=True,
            text=True,
            timeout=110,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        told = f"{done.stdout}\n{done.stderr}"
        assert check is None or done.returncode == check, f"exit {done.returncode}\n{told}"
        return told

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """The command, and it goes on running."""
        return subprocess.Popen(
            [sys.executable, "-m", "gapless", *args],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, kind: str, step: str, host: str = "app1", seconds: float = 60.0) -> None:
        """Until the journal has this event of the rollout under way."""
        deadline = time.monotonic() + seconds
        journal = SqliteJournal(self.folder / "state" / "site")
        try:
            while time.monotonic() < deadline:
                for rollout in journal.rollouts(5, unfinished=True):
                    told = ((e.type, e.step, e.host) for e in journal.events(rollout.id))
                    if (kind, step, host) in told:
                        return
                time.sleep(0.01)
        finally:
            journal.close()
        raise AssertionError(f"no {kind} {step} within {seconds} s")

    def events(self, kind: str) -> list[Event]:
        """Those of this type in the journal, of all rollouts."""
        journal = SqliteJournal(self.folder / "state" / "site")
        try:
            every = [event for one in journal.rollouts(20) for event in journal.events(one.id)]
            return [event for event in every if event.type == kind]
        finally:
            journal.close()

    @property
    def environment(self) -> dict[str, str]:
        """What gapless is run in."""
        state = str(self.folder / "state")
        return {**self.engine.env, "GAPLESS_STATE": state, "NO_COLOR": "1", "COLUMNS": "120"}

    def containers(self) -> list[str]:
        """Names and states of all there are, the oldest first."""
        told = self.docker("ps", "--all", "--format", "{{.Names}} {{.State}}")
        return list(reversed(told.splitlines()))

    def ids(self) -> list[str]:
        """Of those that run."""
        return sorted(self.docker("ps", "--quiet").split())

    def label(self, container: str, name: str) -> str:
        wanted = f'{{{{index .Config.Labels "{name}"}}}}'
        return self.docker("inspect", "--format", wanted, container)

    def answer(self) -> str:
        """Of the program, through the proxy."""
        door = self.proxy or self.front
        assert door is not None
        with urllib.request.urlopen(f"{door.url}/version", timeout=5) as reply:
            return str(reply.read().decode())

    def lost_nothing(self, load: Load) -> None:
        """Every request was answered; what the proxy had to say is shown where one was not."""
        failed = [(round(one.at - load.report.started, 2), one) for one in load.report.errors]
        log = self.short / "haproxy.log" if self.short is not None else None
        told = log.read_text(errors="replace")[-2000:] if log is not None else ""
        assert not failed, f"{len(failed)} lost: {failed[:3]} … {failed[-1]}\n{told}"

    def close(self) -> None:
        for door in filter(None, (self.proxy, self.front)):
            door.stop()
        if self.short is not None:
            shutil.rmtree(self.short)
        self.engine.clear()
        assert os.path.isdir(self.folder)
