"""A known endpoint that answers badly keeps the instance out of traffic."""

from __future__ import annotations

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop


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
