"""A new instance is warmed before clients reach it."""

from __future__ import annotations

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop


class Heat:
    """A warm-up program that notes whether its host got traffic when it was asked."""

    def __init__(self, shop: Shop, keys: str, failing: str = "") -> None:
        self.shop = shop
        self.failing = failing
        self.asked: list[str] = []
        self.in_traffic: list[str] = []
        for host in HOSTS:
            shop.host(host).programs["heat"] = self._called
        shop.edit("    balancer:", f"    warm: {{command: heat, {keys}}}\n    balancer:")

    async def _called(self, host: FakeHost, command: Command) -> Answer:
        self.asked.append(host.name)
        self.in_traffic += [name for name in self.shop.serving() if name == host.name]
        return (1, "", "no such table\n") if host.name == self.failing else (0, "", "")


def test_each_request_is_asked_before_the_instance_gets_traffic(shop: Shop) -> None:
    heat = Heat(shop, "times: 3")
    new = shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=0)
    assert heat.asked == [host for host in HOSTS for _ in range(3)]
    assert heat.in_traffic == []
    assert "warm" in ended.text
    shop.all_serve(new)


def test_what_is_not_required_is_told_and_goes_on(shop: Shop) -> None:
    Heat(shop, "times: 2", failing="web2")
    new = shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=0)
    assert "2 of 2 requests were not answered well" in ended.text
    shop.all_serve(new)


def test_what_is_required_keeps_the_instance_out_of_traffic(shop: Shop) -> None:
    heat = Heat(shop, "times: 2, required: true", failing="web1")
    (old, *_) = shop.live()
    shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "2 of 2 warm-up requests failed" in ended.text
    assert "no such table" in ended.text
    assert heat.in_traffic == []
    shop.all_serve(old)
    shop.world.check()


def test_a_slow_warm_up_ends_at_its_limit(shop: Shop) -> None:
    heat = Heat(shop, "times: 1000, timeout: 5s")
    shop.host("web1").latency = 0.5
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    assert 1 <= heat.asked.count("web1") <= 11
    shop.all_serve(new)
