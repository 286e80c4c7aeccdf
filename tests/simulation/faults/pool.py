"""Three copies of a service on this machine behind a balancer that is a command.

The local transport, real processes and the real command line; each copy's "host" is a state folder
of its own. The balancer is a folder: an instance is out of traffic while ``HOST.out`` is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOSTS = ("h1", "h2", "h3")

CTL = """\
case $1 in
  start) [ -e refuse.$2 ] || [ -e run/$2 ] || date +%s%N > run/$2 ;;
  stop) rm -f run/$2 ;;
  status) cat run/$2 ;;
esac
"""
EDGE = """\
up() { for host in h1 h2 h3; do [ -e run/$host ] && [ ! -e $host.out ] && echo $host; done; }
case $1 in
  out) : > $2.out ;;
  in) rm -f $2.out ;;
  show) if [ -e $2.out ]; then echo drained 0; elif [ -e run/$2 ]; then echo up; else echo down; fi
        exit ;;
esac
echo $1 $2: $(up) >> edge.log
"""
CONFIG = """\
project: pool
hosts:
{hosts}
balancers:
  edge:
    command:
      drain: sh {folder}/edge out {{name}}
      admit: sh {folder}/edge in {{name}}
      {state}
      {on}
    drain_timeout: 300ms
services:
  api:
    on: [{names}]
    command:
      start: sh {folder}/ctl start {{name}}
      stop: sh {folder}/ctl stop {{name}}
      status: sh {folder}/ctl status {{name}}
      timeout: 3s
    soak: 100ms
    health: {{command: "test -e {folder}/run/{{name}}", timeout: 1s, retries: 0}}
    balancer: edge
    {release}
"""


@dataclass
class Pool:
    """``folder`` holds gapless.yaml, what runs, the balancer and its log."""

    folder: Path
    state: bool = True
    """Whether the balancer can tell its state."""
    on: str = ""
    release: str = ""
    hosts: str = ""
    """Lines under ``hosts``, in place of one state folder each."""

    def __post_init__(self) -> None:
        for name, script in (("ctl", CTL), ("edge", EDGE)):
            (self.folder / name).write_text(f'cd "{self.folder}" || exit 9\n{script}')
        (self.folder / "run").mkdir()
        for host in HOSTS:
            (self.folder / "run" / host).write_text("1\n")
        self.write()

    def write(self) -> None:
        """gapless.yaml as it is to be now."""
        local = "{{transport: local, state_dir: {0}/hosts/{1}, sudo: false}}"
        hosts = "\n".join(f"  {h}: {local.format(self.folder, h)}" for h in HOSTS)
        (self.folder / "gapless.yaml").write_text(
            CONFIG.format(
                folder=self.folder,
                hosts=self.hosts or hosts,
                names=", ".join(HOSTS),
                state=f"state: sh {self.folder}/edge show {{name}}" if self.state else "",
                on=f"on: [{self.on}]" if self.on else "",
                release=self.release,
            )
        )

    def edit(self, old: str, new: str) -> None:
        """Change gapless.yaml; ``old`` has to be in it."""
        file = self.folder / "gapless.yaml"
        text = file.read_text()
        assert old in text, text
        file.write_text(text.replace(old, new))

    def gapless(self, *words: str, code: int) -> str:
        """Run ``gapless``; its screen as one line. Asserts the exit code."""
        environment = {**os.environ, "GAPLESS_STATE": f"{self.folder}/state", "NO_COLOR": "1"}
        program = "import sys; from gapless.cli.main import run; sys.exit(run())"
        done = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == code, f"exit {done.returncode}\n{told}"
        return " ".join(told.split())

    def orders(self) -> list[str]:
        """What the balancer was told, each with those it sends requests to afterwards."""
        log = self.folder / "edge.log"
        return log.read_text().splitlines() if log.exists() else []

    def identity(self, host: str) -> str:
        """Which copy runs; "" when none does."""
        running = self.folder / "run" / host
        return running.read_text().strip() if running.exists() else ""
