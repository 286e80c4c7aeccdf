"""A page of the documentation that is followed: its gapless.yaml on hosts in virtual time.

Every host of the file exists and runs the service's unit; addresses of repositories lead to one
that is made here; templates exist. Hosts, balancers and time are those of a ``World``, all else is
what a person would call.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Coroutine, Mapping
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, TypeVar

import pytest

from gapless.config.groups import groups_of, hosts_on
from gapless.config.services import ServiceConfig
from gapless.drivers import registry
from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_rates import Errs, FakeRates
from gapless.testing.fake_traffic import Traffic
from gapless.testing.virtual_time import VirtualLoop
from gapless.testing.world import World
from tests.simulation.faults.shop import Shop
from tests.unit.docs.pages import Block

T = TypeVar("T")


class Guide(Shop):
    """The file of one page; ``gapless`` runs the command line in it."""

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        capture: pytest.CaptureFixture[str],
        block: Block,
    ) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture
        self.world, self.loop, self.lost = World(), VirtualLoop(), []
        text = re.sub(r'git: "[^"]+"', f'git: "{self._repository()}"', block.text)
        text = text.replace("npm ci --omit=dev", "mkdir node_modules")
        self.config(text.replace("fetch: host", "fetch: controller"))  # no git on these hosts
        self._write_sources(block.text)
        self._stand_in()
        patch.setattr(registry, "rates", self._rates)
        patch.setattr(asyncio, "run", self._run)
        self.do(self._populate())
        self.world.history.clear()

    def hosts(self, service: str) -> tuple[str, ...]:
        """Hosts of a service, in the order of the file."""
        project = self.project()
        return hosts_on(project.services[service].on, project.hosts, groups_of(project.hosts))

    def versions(self, service: str) -> dict[str, str]:
        """What each host really runs."""
        return {unit.host.name: unit.version for unit in self.world.units(service)}

    def change(self) -> None:
        """A newer release in every kind of source."""
        (self.folder / "repository" / "app").write_text("2")
        self._git("commit", "-qam", "second")
        if (self.folder / "build").exists():
            (self.folder / "build" / "app").write_text("2")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """The controller's time is the world's; git has a thread and a time of its own."""
        if current_thread() is main_thread():
            return self.do(work)
        with asyncio.runners.Runner() as runner:
            return runner.run(work)

    async def _populate(self) -> None:
        services = self.project().services
        for name in self.project().balancers:
            users = tuple(s for s, config in services.items() if name in config.balancer)
            Traffic(self.world, name, users)
        for name, config in services.items():
            for host in self.hosts(name):
                self._install(name, config, host)
                self.host(host).programs.update({"bin/schema": _schema, "node": _content})

    def _install(self, name: str, config: ServiceConfig, host: str) -> None:
        assert config.systemd is not None
        assert config.release is not None
        files, top = self.host(host).files, config.release.to
        files.mkdir(f"{top}/releases/old")
        files.link("releases/old", f"{top}/current")
        unit = self.host(host).add_unit(
            config.systemd.unit, service=name, port=_port(config), release_link=f"{top}/current"
        )
        unit.run_already()

    def _rates(self, config: ServiceConfig, reach: object) -> tuple[object, ...]:
        """One scripted source for each kind that counts, quiet throughout."""
        judges = [entry.judge for entry in config.verify if entry.judge is not None]
        quiet = Errs(0.0, requests=50)
        return tuple((judge, FakeRates(self.world.clock, usual=quiet)) for judge in judges)

    def _write_sources(self, text: str) -> None:
        for name in re.findall(r"template: ([^,}\s]+)", text):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("host: {{ host }}\n")
        if "directory: build" in text:
            (self.folder / "build").mkdir()
            (self.folder / "build" / "app").write_text("1")

    def _repository(self) -> Path:
        repository = self.folder / "repository"
        repository.mkdir()
        files: Mapping[str, str] = {"app": "1", "package-lock.json": "{}", "schema.version": "3\n"}
        for name, content in files.items():
            (repository / name).write_text(content)
        self._git("init", "-q", "-b", "master")
        self._git("add", ".")
        self._git("commit", "-qm", "first")
        return repository

    def _git(self, *words: str) -> None:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        argv = ["git", "-C", str(self.folder / "repository"), *who, *words]
        subprocess.run(argv, check=True)


async def _schema(host: FakeHost, command: Command) -> Answer:
    """The live version, which is what the releases declare."""
    return 0, "3\n", ""


async def _content(host: FakeHost, command: Command) -> Answer:
    """Finds nothing wrong with a configuration file."""
    return 0, "", ""


def _port(config: ServiceConfig) -> int:
    """Where its first health check asks."""
    asked = next((c.tcp or (c.http_check.url if c.http_check else "") for c in config.health), "")
    found = re.search(r":(\d+)", asked)
    return int(found[1]) if found else 0
