from __future__ import annotations
import pytest
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.faults import Fault, What, When
from tests.simulation.faults.shop import HOSTS, Shop
from tests.simulation.faults.schema import Schema
from tests.simulation.faults.test_by_hand import loose
from tests.simulation.faults.test_schema_at_start import risen, BOTH
from tests.simulation.faults.test_promote import ENVIRONMENTS
from gapless.testing.fake_unit import Behaviour


def serving_at_least(shop, least):
    shop.world._hooks.clear()
    breaches = []
    def look(world):
        if len(shop.serving()) < least:
            breaches.append(list(shop.serving()))
        return None
    shop.world.on_change(look)
    return breaches


@pytest.mark.parametrize("hosts", ["web1,web2", "web1,web2,web3"])
def test_byhand_resume(shop: Shop, hosts) -> None:
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 2, max_unavailable: 2}")
    shop.gapless("drain", "api@web3", code=0)
    breaches = serving_at_least(shop, 1)
    shop.release("2")
    shop.kill_at("preflight")
    shop.killed("deploy", "api", "--hosts", hosts, "--yes")
    shop.rest()
    breaches = serving_at_least(shop, 1)
    shop.gapless("resume", shop.last().id, code=0)
    assert breaches == []


def test_byhand_restored(shop: Shop) -> None:
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 2, max_unavailable: 2, max_failed: 1}")
    shop.gapless("drain", "api@web1", code=0)
    breaches = serving_at_least(shop, 1)
    name = shop.release("2")
    shop.unit("web1").behaviours[name] = NEVER_READY
    shop.gapless("deploy", "api", "--yes", code=5)
    assert breaches == []

def test_byhand_refused_before(shop: Shop) -> None:
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1, max_unavailable: 1}")
    shop.gapless("drain", "api@web1", code=0)
    shop.release("2")
    shop.world.history.clear()
    e = shop.gapless("deploy", "api", "--yes", code=3)
    print(e.text)
    assert shop.changed() == []

@pytest.mark.parametrize("batch", [1])
def test_bump_rest(shop: Shop, batch) -> None:
    data, old = risen(shop, BOTH, Behaviour())
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="act", host="web2"))
    e = shop.gapless("deploy", "--yes", code=4)
    print(e.out)
    assert data.bumped == dict.fromkeys(HOSTS, 3)

def test_promote_caught_up(shop: Shop) -> None:
    env = ENVIRONMENTS.replace("{on: [web1], rollout: {canary: 0}}", "{on: [web1, web2], rollout: {canary: 0, max_failed: 1, max_unavailable: 2}}").replace("[web2, web3]", "[web3]")
    shop.world._hooks.clear()
    shop.config((shop.folder / "gapless.yaml").read_text() + env)
    schema = Schema(shop)
    shop.release("2")
    shop.host("web2").cut(1e9)
    shop.gapless("deploy", "-e", "staging", "--yes", code=5)
    shop.host("web2").unreachable_until = 0.0
    assert schema.ran == ["web1 up"]
    shop.gapless("catch-up", "-e", "staging", "--yes", code=0)
    schema.version = 1
    shop.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=0)
    assert schema.ran == ["web1 up", "web3 up"]

def test_promote_forced(shop: Shop) -> None:
    shop.world._hooks.clear()
    shop.config((shop.folder / "gapless.yaml").read_text() + ENVIRONMENTS)
    shop.release("2")
    shop.gapless("deploy", "-e", "staging", "--yes", "--force", "--reason", "x", code=0)
    e = shop.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=3)
    print(e.text)

def test_schema_first_host_down(shop: Shop) -> None:
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1, max_unavailable: 2, max_failed: 1}")
    Schema(shop)
    shop.world._hooks.clear()
    shop.release("2")
    shop.host("web1").cut(1e9)
    e = shop.gapless("deploy", "--yes", code=5)
    print(e.text)
