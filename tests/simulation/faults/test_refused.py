"""What makes a rollout impossible is found before anything is changed."""

from __future__ import annotations

import pytest

from gapless.testing.faults import Fault, What
from tests.simulation.faults.shop import HOSTS, Shop


def nothing_happened(shop: Shop, before: list[str]) -> None:
    shop.rest()
    assert shop.changed() == []
    assert shop.world.deeds("drain", "admit") == []
    assert shop.live() == before
    assert shop.serving() == list(HOSTS)
    assert shop.lost == []


def test_unknown_key(shop: Shop) -> None:
    before, calls = shop.live(), len(shop.world.calls)
    shop.edit("soak: 30s", "soka: 30s")
    ended = shop.gapless("restart", "--yes", code=2)
    assert "gapless.yaml:9:5: unknown key 'soka'" in ended.text
    assert "did you mean 'soak'?" in ended.text
    assert len(shop.world.calls) == calls, "a host was spoken to"
    nothing_happened(shop, before)


def test_wrong_unit_name(shop: Shop) -> None:
    before = shop.live()
    shop.edit("systemd: api.service", "systemd: apii.service")
    ended = shop.gapless("restart", "--yes", code=3)
    assert shop.last().outcome == "refused"
    assert "apii.service" in ended.text
    assert "there is no such unit" in ended.text
    assert "Nothing was changed." in ended.text
    nothing_happened(shop, before)


def test_unreachable_host(shop: Shop) -> None:
    before = shop.live()
    shop.host("web2").unreachable_until = 1e9
    ended = shop.gapless("restart", "--yes", code=3)
    assert shop.last().outcome == "refused"
    assert "api on web2 is not fit to be touched: no connection" in ended.text
    assert "Connection refused" in ended.text
    assert "gapless doctor --hosts web2" in ended.text
    nothing_happened(shop, before)


def test_wrong_host_key(shop: Shop) -> None:
    before = shop.live()
    shop.world.faults.add(Fault(What.HOST_KEY, verb="connect", host="web3", times=99))
    ended = shop.gapless("restart", "--yes", code=3)
    assert shop.last().outcome == "refused"
    assert "is not the host we know" in ended.text
    assert "presented: " in ended.text
    assert "expected: " in ended.text
    nothing_happened(shop, before)


@pytest.mark.parametrize("verb", ["restart", "deploy"])
def test_no_sudo(shop: Shop, verb: str) -> None:
    before = shop.live()
    shop.release("2")
    shop.host("web1").privileged = False
    ended = shop.gapless(verb, "--yes", code=3)
    assert shop.last().outcome == "refused"
    assert "web1" in ended.text
    assert "may not act as root" in ended.text
    assert "sudo" in ended.text
    nothing_happened(shop, before)


def test_a_crash_loop_is_told_with_the_command_that_tells_why(shop: Shop) -> None:
    async def crash() -> None:
        shop.unit("web2").restarts = 7
        shop.unit("web2").crash()

    shop.do(crash())
    ended = shop.gapless("restart", "--yes", code=3)
    text = " ".join(ended.text.split())
    assert "in a crash loop: systemd has restarted it 7 times" in text
    assert (
        "wanted active, without being restarted next journalctl -u api.service -n 50 on web2"
        in text
    )
    assert shop.changed() == []
