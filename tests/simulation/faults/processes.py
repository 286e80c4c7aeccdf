"""Two tiers of supervised processes on this machine: the local transport, the real command line.

``shop.store``, and ``shop.api`` after it; each is the small web server, and reads VERSION= and
BEHAVIOUR= of its release when it starts. No root and no systemd is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapless.supervisor import processes
from tests.ports import free_port
from tests.supervisor.rig import LIMIT, serve, until

GAPLESS = str(Path(sys.executable).with_name("gapless"))
STORE, API = "shop.store", "shop.api"
CONFIG = """\
project: shop
hosts:
  here: {{transport: local, state_dir: {folder}/host, sudo: false, python: {python}}}
defaults:
  soak: {soak}
  health: {{retries: 1, retry_delay: 100ms, timeout: 5s}}
services:
  shop.store: &tier
    on: here
    process: &process
      gapless: {gapless}
      command: {command}
      listen: 127.0.0.1:{store}
      ready: {{notify: true}}
      start_timeout: 5s
      settle: {settle}
      stop: {{timeout: 5s}}
      {more}
    health: {{http: "http://127.0.0.1:{store}/health"}}
    release: {{directory: store, to: {folder}/srv/store}}
  shop.api:
    on: here
    after: shop.store
    process:
      <<: *process
      listen: 127.0.0.1:{api}
    health: {{http: "http://127.0.0.1:{api}/health"}}
    release: {{directory: api, to: {folder}/srv/api}}
prove: {{url: "http://127.0.0.1:{api}/", rate: 50}}
"""


@dataclass
class Processes:
    """``folder`` holds gapless.yaml, the releases, the host's state and the journal."""

    folder: Path
    settle: str = "200ms"
    soak: str = "300ms"
    more: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {STORE: free_port(), API: free_port()}
        self.environment = {
            **os.environ,
            "GAPLESS_STATE": f"{self.folder}/state",
            "GAPLESS_RUN_DIR": f"{self.folder}/run",
            "RIG_FOLDER": str(self.folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        for name in (STORE, API):
            self.publish(name, "1")
        self.write()

    def write(self, more: str = "", gapless: str = GAPLESS) -> None:
        """gapless.yaml; ``more`` is a line of every process."""
        text = CONFIG.format(
            folder=self.folder, python=sys.executable, gapless=gapless, settle=self.settle,
            soak=self.soak,
            command=json.dumps([*serve("--notify", "--release", "release.env", "--linger", "1")]),
            store=self.ports[STORE], api=self.ports[API], more=more or self.more,
        )  # fmt: skip
        (self.folder / "gapless.yaml").write_text(text)

    def publish(self, name: str, version: str, behaviour: str = "") -> None:
        """What the next deploy brings."""
        release = self.folder / name.removeprefix("shop.")
        release.mkdir(exist_ok=True)
        (release / "release.env").write_text(f"VERSION={version}\nBEHAVIOUR={behaviour}\n")

    def gapless(self, *words: str, code: int) -> str:
        """Run ``gapless``; its screen as one line. Asserts the exit code."""
        done = self.begin(*words)
        out, _ = done.communicate(timeout=90)
        assert done.returncode == code, f"exit {done.returncode}\n{out}"
        return " ".join(out.split())

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """The same, and do not wait."""
        return subprocess.Popen(
            [GAPLESS, *words], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def report(self, *words: str, code: int) -> Any:
        """What ``--json`` says."""
        done = subprocess.run(
            [GAPLESS, *words, "--json"], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def deployed(self) -> Processes:
        """Both run release 1."""
        self.gapless("deploy", "--yes", code=0)
        return self

    def status(self, name: str) -> dict[str, Any]:
        """What the supervisor says; {} when there is none."""
        done = subprocess.run(
            [GAPLESS, "run", "status", name, "--json"], env=self.environment, text=True,
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def active(self, name: str) -> int:
        """The process that serves."""
        return int(self.status(name)["active"]["pid"])

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def version(self, name: str) -> str:
        """Of the copy that answers."""
        import urllib.request

        with urllib.request.urlopen(f"http://{self.address(name)}/", timeout=5) as answer:
            return str(answer.read().split()[2].decode())

    def live(self, name: str) -> str:
        """The release that is live; "" when none is."""
        link = self.folder / "srv" / name.removeprefix("shop.") / "current"
        return os.readlink(link) if link.is_symlink() else ""

    def everybody(self) -> list[int]:
        """All living processes that came of it."""
        prefix = f"RIG_FOLDER={self.folder}".encode()
        return [pid for pid in processes.everybody() if pid != os.getpid() and _has(pid, prefix)]

    def close(self) -> None:
        """End what a test left."""
        for pid in self.everybody():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.everybody(), "the end of all", LIMIT)


def _has(pid: int, variable: bytes) -> bool:
    try:
        found = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return variable in found and processes.session(pid) != -1
