"""A process that gapless supervises on a real systemd host, over SSH and sudo."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.load import Load
from tests.rollouts.units.package import COMMAND, install_gapless
from tests.rollouts.units.unit import LIMIT, PORT, until

PROGRAM = Path(__file__).parents[1] / "supervisor" / "programs" / "serve.py"
UNIT = "gapless-run-web"
CONFIG = """\
project: site
hosts:
  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy, key: {keys.client},
    known_hosts: {keys.known_hosts}, groups: [web]}}
defaults:
  soak: 500ms
  health: {{retries: 1, retry_delay: 300ms, interval: 300ms, timeout: 6s}}
services:
  web:
    on: web
    process:
      gapless: {command}
      command: python3 -I -S serve.py --notify --release release.env
      listen: {host.address}:{port}
      ready: {{notify: true}}
      start_timeout: 5s
      settle: 300ms
      user: nobody
    health: {{http: "http://{{address}}:{port}/health"}}
    release: {{directory: release, to: /srv/web}}
prove: {{url: "http://{host.address}:{port}/", rate: 50}}
"""


@dataclass
class Web:
    """``folder`` holds gapless.yaml, the release and the journal."""

    folder: Path
    host: LabHost

    def publish(self, version: str, behaviour: str = "") -> None:
        """What the next deploy brings."""
        release = self.folder / "release"
        release.mkdir(exist_ok=True)
        (release / "serve.py").write_bytes(PROGRAM.read_bytes())
        (release / "release.env").write_text(f"VERSION={version}\nBEHAVIOUR={behaviour}\n")

    def gapless(self, *words: str, code: int) -> str:
        """Its screen as one line. Asserts the exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "gapless", *words], cwd=self.folder, text=True, timeout=90,
            env={**os.environ, "GAPLESS_STATE": str(self.folder / "state"), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}"
        return " ".join(done.stdout.split())

    def status(self) -> dict[str, Any]:
        """What the supervisor says; {} when there is none."""
        done = self.host.run([COMMAND, "run", "status", "web", "--json"], check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def version(self) -> str:
        """Of the copy that answers."""
        link = http.client.HTTPConnection(self.host.address, PORT, timeout=LIMIT)
        try:
            link.request("GET", "/")
            return link.getresponse().read().split()[2].decode()
        finally:
            link.close()

    def unit(self, *properties: str) -> list[str]:
        """Of the unit in which it runs."""
        shown = self.host.show(UNIT, *properties)
        return [shown.get(name, "") for name in properties]

    def files(self) -> set[str]:
        """Mode and owner of run files on the host, kept ones as well."""
        told = self.host.run(
            ["find", "/", "-xdev", "-path", "*/processes/web.json", "-printf", "%m %u\n"]
        )
        return set(told.stdout.splitlines())


@pytest.fixture
def web(tmp_path: Path, lab: Lab, host: LabHost) -> Web:
    """Version 1 is to be deployed; nothing is on the host but gapless."""
    install_gapless(host)
    text = CONFIG.format(host=host, keys=lab.keys, command=COMMAND, port=PORT)
    (tmp_path / "gapless.yaml").write_text(text)
    made = Web(tmp_path, host)
    made.publish("1")
    return made


def test_a_process_lives_in_a_unit_of_its_own(web: Web) -> None:
    """From the first deploy to the last flip it has one main process, and nothing is lost."""
    web.gapless("deploy", "--yes", code=0)
    assert web.files() == {"600 root"}
    pid = str(web.status()["pid"])
    assert web.unit("ActiveState", "MainPID") == ["active", pid]
    program = web.status()["active"]["pid"]
    assert web.host.run(["stat", "-c", "%U", f"/proc/{program}"]).stdout.strip() == "nobody"

    web.publish("2")
    with Load(f"http://{web.host.address}:{PORT}/", rate=100) as load:
        web.gapless("deploy", "--yes", code=0)
        web.gapless("restart", "--yes", code=0)
        web.publish("3", "import-error")
        told = web.gapless("deploy", "--yes", code=4)
        web.gapless("rollback", "--yes", code=0)
    assert load.report.failed == 0, load.report
    assert "ModuleNotFoundError" in told
    assert web.version() == "1"
    assert web.unit("ActiveState", "MainPID", "NRestarts") == ["active", pid, "0"]
    assert "running" in web.gapless("status", code=0)
    web.gapless("doctor", code=0)


def test_a_supervisor_that_is_killed_comes_back_and_can_be_rolled(web: Web) -> None:
    """systemd keeps its socket meanwhile: who connects waits, and is answered."""
    web.gapless("deploy", "--yes", code=0)
    pid = web.status()["pid"]
    web.host.run(["kill", "-KILL", str(pid)])
    assert web.version() == "1"
    until(lambda: web.status().get("active"), "it serves again")
    assert web.status()["pid"] != pid
    web.publish("2")
    web.gapless("deploy", "--yes", code=0)
    assert web.version() == "2"


def test_a_first_deploy_that_fails_leaves_no_unit(web: Web) -> None:
    web.publish("1", "import-error")
    told = web.gapless("deploy", "--yes", code=4)
    assert "not started: it ended with status 1 before it was ready" in told
    assert "ModuleNotFoundError" in told
    assert web.files() == set()
    assert web.unit("LoadState", "ActiveState") == ["not-found", "inactive"]


def test_what_was_stopped_is_started_by_force_in_its_unit(web: Web) -> None:
    web.gapless("deploy", "--yes", code=0)
    web.host.run([COMMAND, "run", "stop", "web"])
    until(lambda: web.unit("LoadState") == ["not-found"], "its unit is gone")
    assert "stopped" in web.gapless("status", code=0)
    web.gapless("restart", "--yes", code=3)
    web.gapless("restart", "--yes", "--force", "--reason", "it was stopped", code=0)
    assert web.version() == "1"
    assert web.unit("ActiveState") == ["active"]
