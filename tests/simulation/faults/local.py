"""One service on this machine: real processes, the local transport, the real command.

It needs neither root nor systemd. The release brings ``health`` and ``migrate``, shell scripts that
behave as a case wants; ``ctl`` stands for whatever runs the service.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CTL = """\
case $1 in
  start) [ -e running ] || date +%s%N > running ;;
  stop) rm -f running ;;
  status) cat running ;;
esac
"""
PYTHON = """\
#!{python} -IS
import os, sys, time
def now(real=time.time):
    try:
        return real() + float(open({clock!r}).read())
    except OSError:
        return real()
time.time = now
exec(sys.argv[-1])
"""
"""The host's Python: its wall clock is set by writing seconds into the file ``clock``."""
CONFIG = """\
project: loud
hosts:
  here: {{transport: local, state_dir: {folder}/host, sudo: false, python: {folder}/python}}
services:
  api:
    on: [here]
    command: {{start: {ctl} start, stop: {ctl} stop, status: {ctl} status}}
    soak: 200ms
    health: {{command: sh {folder}/srv/current/health, timeout: 1s, answer: 20s, retries: 0}}
    migrate: {{run: sh migrate, timeout: 60s}}
    release: {{directory: release, to: {folder}/srv}}
"""


COMMAND = """\
import pathlib, sys
from gapless.cli.main import run
code = run()
pathlib.Path("memory").write_text(pathlib.Path("/proc/self/status").read_text())
sys.exit(code)
"""
"""``gapless``, which leaves how much memory it had."""


@dataclass
class Local:
    """``folder`` holds gapless.yaml, the release, the journal and the "host"."""

    folder: Path
    usual: int = 0
    """The controller's memory in a rollout in which nobody was loud, in kB."""

    def __post_init__(self) -> None:
        (self.folder / "ctl").write_text(f'cd "{self.folder}"\n{CTL}')
        python = self.folder / "python"
        python.write_text(PYTHON.format(python=sys.executable, clock=f"{self.folder}/clock"))
        python.chmod(0o755)
        first = self.folder / "srv" / "releases" / "first"
        first.mkdir(parents=True)
        (first / "health").write_text("exit 0\n")
        (self.folder / "srv" / "current").symlink_to("releases/first")
        (self.folder / "running").write_text("1\n")
        (self.folder / "gapless.yaml").write_text(
            CONFIG.format(folder=self.folder, ctl=f"sh {self.folder}/ctl")
        )
        self.release()
        self.usual = self.deploy(code=0).memory

    def release(self, health: str = "exit 0", migrate: str = "exit 0") -> None:
        """Make the release anew from the two scripts."""
        release = self.folder / "release"
        release.mkdir(exist_ok=True)
        (release / "health").write_text(f"{health}\n")
        (release / "migrate").write_text(f"{migrate}\n")

    def deploy(self, code: int) -> Told:
        """Run ``gapless deploy``; asserts the exit code."""
        environment = {**os.environ, "GAPLESS_STATE": f"{self.folder}/state", "NO_COLOR": "1"}
        out, err = self.folder / "stdout", self.folder / "stderr"
        with out.open("w") as stdout, err.open("w") as stderr:
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, "deploy", "--yes", "--json", "--progress=plain"],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=stderr, timeout=60, check=False,
            )  # fmt: skip
        told = err.read_text("utf-8")
        assert done.returncode == code, f"exit {done.returncode}\n{out.read_text()}\n{told}"
        return Told(json.loads(out.read_text("utf-8")), told, _peak(self.folder / "memory"))

    def live(self) -> str:
        """The release that is live."""
        return os.readlink(self.folder / "srv" / "current")

    def identity(self) -> str:
        """Which copy runs; "" when none does."""
        running = self.folder / "running"
        return running.read_text().strip() if running.exists() else ""

    def peak(self) -> int:
        """Memory of whoever read the output of a script that ended with ``PEAK``, in kB."""
        return _peak(self.folder / "peak")

    def journal_size(self) -> int:
        """Bytes of the controller's journal, and of what the host keeps."""
        places = (self.folder / "state", self.folder / "host")
        return sum(f.stat().st_size for place in places for f in place.rglob("*") if f.is_file())


def _peak(status: Path) -> int:
    """The most memory a process ever had, in kB, from its /proc/PID/status."""
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@dataclass
class Told:
    """What came of a deploy: the report, the screen, and the controller's memory in kB."""

    report: dict[str, Any]
    screen: str
    memory: int

    @property
    def text(self) -> str:
        """The screen as one line: it wraps."""
        return " ".join(self.screen.split())
