"""``max_failed`` is over the whole rollout: failures of all services count together."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import HOSTS, Shop

STORE = """\
  store:
    on: [web1, web2, web3]
    systemd: store.service
    soak: 1s
    health: {http: 'http://localhost:8100/', timeout: 5s}
    rollout: {max_failed: 1, max_unavailable: 3}
"""


@pytest.fixture
def two(shop: Shop) -> Shop:
    """The shop with a second service after the first; one failed instance is allowed."""
    text = (shop.folder / "gapless.yaml").read_text()
    text = text.replace("canary: 1, batch: 1", "max_failed: 1, max_unavailable: 3")
    shop.config(text.replace("after: [api]", "") + STORE.replace("    after: [api]\n", ""))
    for host in HOSTS:
        shop.do(_added(shop, host))
    return shop


async def _added(shop: Shop, host: str) -> None:
    shop.host(host).add_unit("store.service", port=8100).run_already()


def fail(shop: Shop, service: str, host: str) -> None:
    """Its next start never becomes ready; the one after that does."""
    shop.host(host).units[f"{service}.service"].next_starts = [NEVER_READY]


def test_one_failure_is_allowed(two: Shop) -> None:
    fail(two, "api", "web1")
    two.gapless("restart", "--yes", code=4)
    (ending,) = two.events("rollout.failed")
    assert ending.data["failed"] == ["api@web1"]
    assert not two.events("service.failed"), "both went on to their ends"


def test_failures_of_two_services_count_together(two: Shop) -> None:
    fail(two, "api", "web1")
    fail(two, "store", "web3")
    plan = two.gapless("plan", code=0)
    assert "more than 1 failed instance over all of it stop their services" in plan.text
    ended = two.gapless("restart", "--yes", code=4)
    stopped = {event.service for event in two.events("service.failed")}
    assert stopped == {"api"}, "its first failure is the second of the rollout: one too many"
    assert "as it was: web3 (restored)" in ended.text


def test_unfit_instances_of_two_services_count_together(two: Shop) -> None:
    for host, name in (("web1", "api.service"), ("web2", "store.service")):
        two.do(two.host(host).units[name].stop())
    before = two.changed()
    two.gapless("restart", "--yes", code=3)
    assert two.changed() == before
