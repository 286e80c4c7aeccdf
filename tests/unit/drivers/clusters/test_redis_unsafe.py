"""What speaks against stopping a Redis server, where sentinels and hosts do not fit."""

from __future__ import annotations

from gapless.clock import LoopClock
from gapless.config.cluster_redis import RedisSentinelConfig
from gapless.drivers.clusters.redis_sentinel import RedisSentinel
from gapless.testing.virtual_time import run_virtual

from .redis_world import MASTER, World
from .test_redis_sentinel import ONE, THREE, codes, look


def test_a_redis_that_cannot_pause_writes_speaks_against_it() -> None:
    world = World.of_three()
    world.servers["redis1"].version = "6.0.16"
    driver = world.driver()
    seen = run_virtual(driver.topology())
    (found,) = run_virtual(driver.unsafe(seen, [ONE]))
    assert (found.code, found.where, found.absolute) == ("redis-too-old", ONE, False)
    assert found.next


class _Sentinels(World):
    """``unknown``: a replica that sentinels leave out; ``nameless``: they watch no such master."""

    unknown = ""
    nameless = False
    others = 2

    def sentinel(self, host: str, words: tuple[str, ...]) -> str:
        if words[1] == "SENTINELS":
            return f"*{self.others}\r\n" + "*0\r\n" * self.others
        if self.nameless:
            no = "-ERR No such master with that name\r\n"
            return "*-1\r\n" if words[1] == "GET-MASTER-ADDR-BY-NAME" else no
        known = dict(self.servers)
        try:
            self.servers = {h: s for h, s in known.items() if s.address != self.unknown}
            return super().sentinel(host, words)
        finally:
            self.servers = known


def test_a_server_that_no_sentinel_knows() -> None:
    world = _Sentinels.of_three()
    world.unknown = THREE
    assert codes(look(world)) == {"Redis on redis3": "redis-unwatched"}


def test_sentinels_that_watch_no_master_of_that_name() -> None:
    world = _Sentinels.of_three()
    world.nameless = True
    assert codes(look(world))[MASTER] == "sentinel-no-master"


def test_a_sentinel_that_is_not_asked() -> None:
    world = _Sentinels.of_three()
    world.others = 3
    found = look(world).findings
    assert {one.code for one in found} == {"sentinels-not-all-asked"} and len(found) == 3


def test_a_server_on_none_of_our_hosts() -> None:
    world = World.of_three()
    config = RedisSentinelConfig.model_validate({"master": MASTER})
    driver = RedisSentinel("cache", config, ("redis1", "redis2"), world.transports, LoopClock())
    seen = run_virtual(driver.topology())
    assert codes(seen)[THREE] == "redis-not-ours"
