"""Secrets of health questions are read before a rollout changes anything, and kept for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gapless.engine.outcome import Ending
from gapless.engine.worker import Worker
from gapless.events.event import Event
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.virtual_time import run_virtual
from tests.simulation.assembly import SimAssembly
from tests.unit.docs.seed_site import TIMING, SeedSite

TOKEN = "HEALTH_TOKEN"
HTTP = {"url": "http://{address}:8000/health", "secrets": {"Authorization": f"env:{TOKEN}"}}


class Hiccup(list[Event]):
    """The secret cannot be read from one step on."""

    def __init__(self, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._step, self._monkeypatch = step, monkeypatch

    def append(self, event: Event) -> None:
        super().append(event)
        if event.type == "step.started" and event.step == self._step:
            self._monkeypatch.delenv(TOKEN, raising=False)


def site(**more: Any) -> SeedSite:
    return SeedSite(service={"health": {"http": HTTP, **TIMING}}, **more)


def asked_of_hosts(shop: SeedSite) -> list[str]:
    return [verb for _, _, verb, _ in shop.world.calls]


def test_a_secret_that_cannot_be_read_refuses_before_any_host_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    shop = site()
    ending = run_virtual(shop.restart())
    assert (ending.exit_code, ending.outcome) == (3, "refused")
    assert ending.error is not None
    assert ending.error.what.startswith(f"the secret env:{TOKEN} cannot be read")
    assert asked_of_hosts(shop) == []


def test_force_asks_no_health_and_reads_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert run_virtual(site().restart(force="it is down anyway")).exit_code == 0


@pytest.mark.parametrize("step", ["ready", "soak"])
def test_a_secret_that_was_read_once_fails_no_instance_later(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "Bearer t0psecret")
    shop = site(events=Hiccup(step, monkeypatch))
    assert run_virtual(shop.restart()).exit_code == 0
    assert "t0psecret" not in str(shop.events)


def test_the_way_back_does_not_fail_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "Bearer t0psecret")
    shop = site(events=Hiccup("switch", monkeypatch))
    shop.unit("web1").behaviours["v2"] = NEVER_READY
    ending = run_virtual(shop.deploy())
    assert (ending.exit_code, shop.versions()) == (4, ["v1", "v1"])


def test_a_resumed_rollout_changes_nothing_more_until_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(TOKEN, "Bearer t0psecret")
    shop = site()

    async def crashed() -> None:
        async with asyncio.timeout(10):  # in the soak of the first instance
            await shop.deploy()

    async def resumed() -> Ending:
        config = shop._config(releases=True)
        worker = Worker(
            shop.journal,
            shop.world.clock,
            lambda plan: SimAssembly(shop.world, config, "v2"),
            observer=shop.events.append,
        )
        return await worker.work(shop.journal.rollouts(1)[0].id)

    async def story() -> tuple[Ending, list[str], Ending]:
        with pytest.raises(TimeoutError):
            await crashed()
        monkeypatch.delenv(TOKEN)
        shop.world.calls.clear()
        refused, asked = await resumed(), asked_of_hosts(shop)
        monkeypatch.setenv(TOKEN, "Bearer another")
        return refused, asked, await resumed()

    refused, asked, done = run_virtual(story())
    assert (refused.outcome, refused.exit_code) == ("interrupted", 130)
    assert refused.error is not None
    assert f"env:{TOKEN}" in refused.error.what
    assert asked == []
    assert (done.exit_code, shop.versions()) == (0, ["v2", "v2"])
