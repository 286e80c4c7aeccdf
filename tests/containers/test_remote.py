"""The engine is on another machine: all that is known of it and done there goes over SSH."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.load import Load
from tests.unit.drivers.transports.sshd import Sshd, needs_sshd

from .engine import Engine
from .plain import Plain
from .shop import Shop

pytestmark = needs_sshd


class Away(Shop):
    """A compose project at the other end of a real sshd; gapless here knows no engine."""

    sshd: Sshd

    @property
    def environment(self) -> dict[str, str]:
        """With an engine that is not there."""
        own = {key: v for key, v in super().environment.items() if key != "DOCKER_CONFIG"}
        return {**own, "DOCKER_HOST": f"unix://{self.folder}/nowhere"}

    def _gapless(self) -> dict[str, Any]:
        whole = super()._gapless()
        if hasattr(self, "sshd"):
            reached = self.sshd.host().model_dump(exclude_defaults=True)
            whole["hosts"]["app1"] = {**reached, "state_dir": str(self.folder / "host")}
        return whole


class PlainAway(Away, Plain):
    """A container without compose there."""


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    folder = Path(tempfile.mkdtemp(prefix="gapless-sshd-"))
    try:
        with Sshd(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=[Away, PlainAway], ids=["compose", "docker"])
def away(
    request: pytest.FixtureRequest, engine: Engine, sshd: Sshd, tmp_path: Path
) -> Iterator[Away]:
    made: Away = request.param(engine, tmp_path / "shop")
    made.sshd, made.patience = sshd, "30s"
    # where compose is installed there, as a plugin of docker
    made.compose["environment"] = {"DOCKER_CONFIG": engine.env["DOCKER_CONFIG"]}
    yield made
    made.close()


def test_a_deploy_and_its_rollback_on_another_machine(away: Away) -> None:
    proxy = away.behind_haproxy()
    away.run("deploy", "--yes", "--reason", "first")
    assert away.answer() == "1"
    assert "othing to do" in away.run("deploy", "--yes")
    with Load(proxy.url, rate=50, keep_alive=False) as load:
        away.write(VERSION="2")
        away.run("deploy", "--yes", "--reason", "second")
        assert away.answer() == "2"
        away.run("rollback", "web", "--yes", "--reason", "back")
        assert away.answer() == "1"
    away.lost_nothing(load)
    assert len(away.containers()) == 1
    assert len(away.sshd.sessions()) == 0
