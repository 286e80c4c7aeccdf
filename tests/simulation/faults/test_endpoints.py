"""A known endpoint that answers badly keeps the instance out of traffic."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop


def test_what_needs_a_warm_up_is_asked_after_it(shop: Shop) -> None:
    order: list[str] = []

    def told(name: str) -> Callable[[FakeHost, Command], Coroutine[Any, Any, Answer]]:
        async def called(host: FakeHost, command: Command) -> Answer:
            order.append(name)
            return 0, "", ""

        return called

    for host in HOSTS:
        shop.host(host).programs.update({"heat": told("heat"), "curl-page": told("page")})
    shop.edit(
        "verify: {http: http://localhost:8000/health}",
        "warm: {command: heat, times: 2}\n    verify: {command: curl-page}",
    )
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    assert order == ["heat", "heat", "page", "page"] * len(HOSTS)


def test_a_failed_endpoint_check_stops_the_admit_behind_it(shop: Shop) -> None:
    """Health is fine, the endpoint is not: no client ever reaches the new copy."""
    old = shop.live()[0]
    new = shop.release("2")
    reached: list[str] = []

    async def curl(host: FakeHost, command: Command) -> Answer:
        return (2, "", "500 /page/html") if shop.unit(host.name).version == new else (0, "", "")

    for host in HOSTS:
        shop.host(host).programs["curl-page"] = curl
    shop.edit(
        "verify: {http: http://localhost:8000/health}",
        "verify: {command: curl-page, retries: 1, retry_delay: 1s}",
    )

    def note(world: object) -> None:
        units = {unit.host.name: unit.version for unit in shop.world.units("api")}
        reached.extend(host for host in shop.serving() if units[host] == new)

    shop.world.on_change(note)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert reached == []
    assert "500 /page/html" in ended.text
    admits = [deed.host for deed in shop.world.deeds("admit")]
    assert admits == ["web1"], "the old copy on the way back, and nothing else"
    shop.all_serve(old)
    shop.world.check()
