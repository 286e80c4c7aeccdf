"""Two supervised processes of this machine behind HAProxy: the new one serves before the old one is
stopped. Neither systemd nor another host is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.debian import which
from tests.lab.haproxy import HAProxy, HAProxySettings
from tests.lab.load import Load
from tests.ports import free_port
from tests.rollouts.site import Site, kill

PROGRAM = Path(__file__).parents[1] / "supervisor" / "programs" / "serve.py"
pytestmark = pytest.mark.timeout(300)

GAPLESS = str(Path(sys.executable).with_name("gapless"))
CONFIG = """\
project: site
hosts:
  app1: {{transport: local, address: 127.0.0.1, sudo: false, python: {python}, state_dir: {state}}}
balancers:
  edge: {{haproxy: {{socket: {socket}, backend: shop, server: "{{name}}-{{slot}}"}}}}
services:
  web:
    on: [app1]
    process:
      gapless: {gapless}
      name: web-{{slot}}
      command: {python} -I -S serve.py --notify --release release.env
      listen: 127.0.0.1:{{slot:{ports[0]}|{ports[1]}}}
      ready: {{notify: true}}
      start_timeout: 5s
      settle: 100ms
    health: {{http: "http://{{address}}:{{slot:{ports[0]}|{ports[1]}}}/health", timeout: 6s}}
    soak: 300ms
    balancer: edge
    release: {{directory: release, to: {home}}}
    rollout: {{strategy: {strategy}}}
"""


class Web(Site):
    """``folder`` holds everything: also the host's state and its supervisors."""

    def publish(self, version: str, behaviour: str = "") -> None:
        """What the next deploy brings."""
        release = self.folder / "release"
        release.mkdir(exist_ok=True)
        (release / "serve.py").write_bytes(PROGRAM.read_bytes())
        (release / "release.env").write_text(f"VERSION={version}\nBEHAVIOUR={behaviour}\n")

    def version(self) -> str:
        """What clients get."""
        with urllib.request.urlopen(self.proxy.url, timeout=5) as answer:
            return str(answer.read().split()[2].decode())

    def running(self) -> list[str]:
        """Slots with a supervisor."""
        return [slot for slot in "ab" if self._run("status", f"web-{slot}", "--json") == 0]

    def files(self) -> list[str]:
        """Run files, by which a copy could be started."""
        return sorted(one.name for one in (self.folder / "host/processes").glob("*.json"))

    def close(self) -> None:
        for slot in "ab":
            self._run("stop", f"web-{slot}")
        self.proxy.stop()

    def _run(self, *words: str) -> int:
        argv = [GAPLESS, "run", *words]
        done = subprocess.run(argv, env={**os.environ, **self.env}, capture_output=True, timeout=30)
        return done.returncode


@pytest.fixture
def web(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Web]:
    """Nothing runs yet but HAProxy, which knows both slots."""
    if which("haproxy") is None:
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail("GAPLESS_LAB=required, but there is no haproxy", pytrace=False)
        pytest.skip("there is no haproxy")
    ports = free_port(), free_port()
    servers = {f"app1-{slot}": f"127.0.0.1:{port}" for slot, port in zip("ab", ports, strict=True)}
    proxy = HAProxy(tmp_path / "haproxy", servers, settings=HAProxySettings(check=100))
    proxy.start()
    text = CONFIG.format(
        python=sys.executable, state=tmp_path / "host", socket=proxy.socket, gapless=GAPLESS,
        ports=ports, home=tmp_path / "srv", strategy=getattr(request, "param", "start-first"),
    )  # fmt: skip
    (tmp_path / "gapless.yaml").write_text(text)
    made = Web(tmp_path, (), proxy, {"GAPLESS_RUN_DIR": str(tmp_path / "run")})
    made.publish("1")
    yield made
    made.close()


@pytest.mark.parametrize("web", ["start-first", "blue-green"], indirect=True)
def test_nothing_is_lost_and_one_of_the_two_is_left(web: Web) -> None:
    web.run("deploy", "--yes", check=0)
    assert (web.running(), web.files()) == (["a"], ["web-a.json"])
    with Load(web.proxy.url, rate=50, keep_alive=False) as load:
        web.publish("2")
        web.run("deploy", "--yes", check=0)
        assert (web.running(), web.files(), web.version()) == (["b"], ["web-b.json"], "2")
        web.run("restart", "--yes", check=0)
        assert (web.running(), web.files(), web.version()) == (["a"], ["web-a.json"], "2")
        web.publish("3", "import-error")
        done = web.run("deploy", "--yes", check=4)
        assert (web.running(), web.files(), web.version()) == (["a"], ["web-a.json"], "2")
        web.run("rollback", "web", "--yes", check=0)
        assert (len(web.running()), web.version()) == (1, "1")
    assert load.report.failed == 0, load.report.errors[:5]
    assert "ModuleNotFoundError" in done.stdout + done.stderr


@pytest.mark.parametrize("verb", ["resume", "abort"])
@pytest.mark.parametrize("step", ["switch", "retire"])
def test_a_controller_killed_leaves_one_copy_and_nothing_lost(
    web: Web, step: str, verb: str
) -> None:
    web.run("deploy", "--yes", check=0)
    with Load(web.proxy.url, rate=50, keep_alive=False) as load:
        web.publish("2")
        controller = web.start("deploy", "--yes")
        web.wait_for_new("step.started", step=step)
        kill(controller)
        done = web.run(verb, check={"resume": 0, "abort": 4}[verb])
    slot, version = ("b", "2") if verb == "resume" else ("a", "1")
    told = done.stdout + done.stderr
    assert (web.running(), web.files()) == ([slot], [f"web-{slot}.json"]), told
    assert web.version() == version
    assert load.report.failed == 0, load.report.errors[:5]


def test_an_unchanged_deploy_does_nothing_and_a_changed_section_is_brought(web: Web) -> None:
    web.run("deploy", "--yes", check=0)
    before = web.run("plan", "deploy", "--exit-code")
    assert before.returncode == 0, before.stdout
    file = web.folder / "gapless.yaml"
    file.write_text(file.read_text().replace("settle: 100ms", "settle: 120ms"))
    assert web.run("plan", "deploy", "--exit-code").returncode == 10
    web.run("deploy", "--yes", check=0)
    assert (web.running(), web.files()) == (["b"], ["web-b.json"])
    web.run("doctor", check=0)
    web.run("drain", "web@app1", "--reason", "a look at it", check=0)
    assert web.run("status").returncode == 0
    web.run("admit", "web@app1", "--reason", "seen", check=0)
