"""Containers without compose are rolled on a real engine."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from gapless.config.docker_service import DockerConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.docker import DockerPair
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.testing.runtime_suite import RuntimeSuite
from tests.lab.load import Load
from tests.ports import free_port

from . import image
from .engine import Engine
from .plain import Plain
from .test_ports import answer

RATE = 50


def test_a_deploy_and_its_rollback_lose_nothing(plain: Plain) -> None:
    proxy = plain.behind_haproxy()
    plain.run("deploy", "--yes", "--reason", "first")
    assert plain.containers() == ["web-a running"]
    assert "othing to do" in plain.run("deploy", "--yes")
    with (
        Load(proxy.url, rate=RATE, keep_alive=False) as new,
        Load(proxy.url, rate=RATE, keep_alive=True) as kept,
    ):
        plain.write(VERSION="2")
        plain.run("deploy", "--yes", "--reason", "second")
        assert plain.answer() == "2"
        assert plain.containers() == ["web-b running"]
        plain.run("rollback", "web", "--yes", "--reason", "back")
        assert plain.answer() == "1"
        plain.run("restart", "web", "--yes", "--reason", "again")
    assert new.report.sent > 100
    failed = (*new.report.errors[:3], *kept.report.errors[:3])
    assert (new.report.failed, kept.report.failed) == (0, 0), failed
    assert len(plain.containers()) == 1
    assert {name: plain.label(plain.ids()[0], f"gapless.{name}") for name in _OURS} == _OURS


_OURS = {"project": "site", "service": "web"}


def test_another_image_under_the_same_name_is_something_to_deploy(
    plain: Plain, engine: Engine
) -> None:
    plain.docker_keys["image"] = f"{image.NAME}:moving"
    engine.tag("moving")
    plain.write()
    plain.run("deploy", "--yes", "--reason", "first")
    assert "othing to do" in plain.run("deploy", "--yes")
    found = engine.tag("moving", "ENV OTHER=yes")
    plain.run("deploy", "--yes", "--reason", "second")
    assert plain.docker("inspect", "--format", "{{.Image}}", "web-b") == found


def test_a_changed_option_is_something_to_deploy(plain: Plain) -> None:
    plain.run("deploy", "--yes", "--reason", "first")
    plain.options += ["--memory", "100m"]
    plain.write()
    plain.run("deploy", "--yes", "--reason", "second")
    memory = plain.docker("inspect", "--format", "{{.HostConfig.Memory}}", "web-b")
    assert memory == str(100 << 20)
    plain.run("rollback", "web", "--yes", "--reason", "back")
    assert plain.docker("inspect", "--format", "{{.HostConfig.Memory}}", "web-a") == "0"


def test_a_container_of_a_person_is_adopted_by_name_and_can_be_had_back(plain: Plain) -> None:
    was = plain.run_by_hand("old-web", "--restart", "always")
    plain.docker_keys["adopt"] = "old-web"
    plain.write(VERSION="2")
    plain.run("deploy", "--yes", "--reason", "first")
    assert plain.containers() == ["web-b running"]
    assert was[:12] not in plain.ids()
    plain.run("rollback", "web", "--yes", "--reason", "back")
    assert plain.containers() == ["web-a running"]
    environment = json.loads(plain.docker("inspect", "--format", "{{json .Config.Env}}", "web-a"))
    assert "VERSION=1" in environment
    policy = plain.docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "web-a")
    assert policy == "always"


@pytest.mark.parametrize("name", ["web-a", "web-b"])
def test_a_foreign_container_with_our_name_is_left_alone(plain: Plain, name: str) -> None:
    foreign = plain.run_by_hand(name)
    told = plain.run("deploy", "--yes", "--reason", "first", check=None)
    assert f"{name} is not of web" in told, told
    assert plain.containers() == [f"{name} running"]
    assert plain.ids() == [foreign[:12]]


def test_what_cannot_be_twice_is_refused_and_a_pair_of_ports_is_one_for_each_copy(
    plain: Plain,
) -> None:
    one, other = free_port(), free_port()
    options = [*plain.options]
    plain.options = [*options, "--publish", f"127.0.0.1:{one}:8080", "--volume", "data:/data"]
    plain.write()
    told = plain.run("deploy", "--yes", "--reason", "first", check=3)
    assert f"port {one} of the host can be published but once" in told
    port = f"{{slot:{one}|{other}}}"
    plain.options = [*options, "--publish", f"127.0.0.1:{port}:8080", "--volume", "data:/data"]
    plain.docker_keys |= {"reach": "host"}
    plain.settings["health"] = {"http": f"http://127.0.0.1:{port}/health"}
    plain.write()
    told = plain.run("deploy", "--yes", "--reason", "first", check=3)
    assert "both copies would write to data" in told
    assert plain.containers() == []
    plain.docker_keys |= {"shared": ["data"]}
    plain.write()
    plain.run("deploy", "--yes", "--reason", "first")
    plain.write(VERSION="2")
    plain.run("deploy", "--yes", "--reason", "second")
    assert answer(other) == "2"
    assert plain.containers() == ["web-b running"]


class Bench:
    """One container, made by us."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.folder = str(plain.folder / "kept")
        keys = {"image": f"{image.NAME}:1", "options": plain.options, "command": plain.command}
        config = DockerConfig.model_validate({**keys, "socket": plain.engine.socket})
        self.runtime = DockerPair(config, "web", project="site")

    async def open(self) -> tuple[Transport, Runtime]:
        await asyncio.to_thread(self.plain.run, "deploy", "--yes", "--reason", "first")
        state = str(self.plain.folder / "host")
        config = HostConfig(transport="local", sudo=False, python=sys.executable, state_dir=state)
        transport = LocalTransport("app1", config)
        await transport.connect()
        return transport, self.runtime

    async def kill(self) -> None:
        await asyncio.to_thread(self.plain.docker, "kill", "web-a")


class TestDockerOnARealEngine(RuntimeSuite):
    """Of two copies the one that serves is asked."""

    @pytest.fixture(autouse=True)
    def _plain(self, plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plain = plain
        monkeypatch.setenv("DOCKER_CONFIG", plain.environment["DOCKER_CONFIG"])

    def bench(self) -> Bench:
        return Bench(self.plain)
