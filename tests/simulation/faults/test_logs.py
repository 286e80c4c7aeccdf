"""What a release writes into its log decides, although its health check is fine."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import Behaviour
from gapless.testing.faults import Fault, What
from tests.simulation.faults.shop import HOSTS, Shop

WORDS = tuple(f"{a}{b}" for a in "abcdefgh" for b in "vwxyz")
FORTY = tuple(f"ERROR table {word} is broken".encode() for word in WORDS)


def judged(shop: Shop, logs: str) -> None:
    shop.edit("verify: {http: http://localhost:8000/health}", f"verify: {{logs: {{{logs}}}}}")


def test_errors_in_the_first_instant_of_the_canary_take_it_back(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged(shop, "level: error")
    shop.bad_release(Behaviour(says=FORTY))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "40 incidents" in ended.text
    assert "is broken" in ended.text
    assert {line.split()[0] for line in shop.changed()} == {"web1"}
    shop.all_serve(old)


def test_what_the_log_said_before_is_no_reason(shop: Shop) -> None:
    judged(shop, "level: error, on_insufficient: pass")
    for host in HOSTS:
        for _ in range(3):
            shop.unit(host).say("ERROR the usual one 17")
    new = shop.bad_release(Behaviour(says=(b"ERROR the usual one 4711",)))
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)


@pytest.mark.parametrize("level", ["none", "fatal"])
def test_a_named_pattern_counts_whatever_the_level(shop: Shop, level: str) -> None:
    judged(shop, f"level: {level}, patterns: {{cassandra: NoHostAvailable}}")
    said = tuple(f"INFO {word}: NoHostAvailable, will retry".encode() for word in WORDS)
    shop.bad_release(Behaviour(says=said))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "logs (cassandra)" in ended.text


def test_a_log_that_cannot_be_read_is_no_pass(shop: Shop) -> None:
    judged(shop, "level: error, extend: 20s")
    broken = Fault(What.HOST_FAULT, verb="logs", times=10_000, text="journal: permission denied")
    shop.world.faults.add(broken)
    shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=7)
    assert "the log cannot be read: journal: permission denied" in ended.text
