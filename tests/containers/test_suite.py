"""The suite of runtimes, on a real engine."""

from __future__ import annotations

import asyncio
import sys

import pytest

from gapless.config.compose_service import ComposeConfig
from gapless.config.hosts import HostConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.runtimes.compose import ComposePair
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.local import LocalTransport
from gapless.testing.runtime_suite import RuntimeSuite

from .shop import Shop


class Bench:
    """One container that compose made."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.folder = str(shop.folder / "kept")
        config = ComposeConfig.model_validate(shop.compose)
        self.runtime = ComposePair(config, "web", folder=str(shop.folder))

    async def open(self) -> tuple[Transport, Runtime]:
        await asyncio.to_thread(self.shop.up)
        state = str(self.shop.folder / "host")
        config = HostConfig(transport="local", sudo=False, python=sys.executable, state_dir=state)
        transport = LocalTransport("app1", config)
        await transport.connect()
        return transport, self.runtime

    async def kill(self) -> None:
        await asyncio.to_thread(self.shop.docker, "compose", "kill", "web")


class TestComposeOnARealEngine(RuntimeSuite):
    """Of two copies the one that serves is asked."""

    @pytest.fixture(autouse=True)
    def _shop(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = shop
        monkeypatch.setenv("DOCKER_CONFIG", shop.environment["DOCKER_CONFIG"])

    def bench(self) -> Bench:
        return Bench(self.shop)
