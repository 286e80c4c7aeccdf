"""A real HAProxy that is restarted, goes away or talks nonsense in the middle of a rollout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.faults.proxied import HOSTS, Proxied
from tests.unit.drivers.balancers.haproxy_rig import need_haproxy

pytestmark = pytest.mark.real


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Proxied]:
    need_haproxy()
    made = Proxied(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def new(pool: Proxied, before: dict[str, int]) -> list[str]:
    """Hosts whose copy is another one than before."""
    return [host for host, number in pool.copies().items() if before[host] != number]


def all_up(pool: Proxied) -> None:
    assert pool.haproxy.status() == dict.fromkeys(HOSTS, "UP")


def test_restarted_in_mid_rollout(pool: Proxied) -> None:
    """It forgot the drain of h2; what was replaced is let in by a check that passed since."""
    before = pool.copies()
    pool.gapless("restart", "--yes", code=0, meanwhile=pool.restart_haproxy)
    assert new(pool, before) == ["h1", "h2", "h3"]
    all_up(pool)


@pytest.mark.parametrize(
    ("how", "said"), [("gone", "does not answer"), ("nonsense", "answer xyzzy")]
)
def test_gone_in_mid_rollout(pool: Proxied, how: str, said: str) -> None:
    """h2 was drained before; h3 is not touched. When it is back, the next rollout is as any."""
    before = pool.copies()
    meanwhile = pool.haproxy.stop if how == "gone" else pool.lie
    told = pool.gapless("restart", "--yes", code=5, meanwhile=meanwhile)
    assert new(pool, before) == ["h1", "h2"]
    assert said in told
    assert "h2 is left out of edge" in told
    assert "h3: not begun" in told
    pool.tell_the_truth()
    pool.gapless("restart", "--yes", code=0)
    assert new(pool, before) == ["h1", "h2", "h3"]
    all_up(pool)


@pytest.mark.parametrize(
    "words", [("restart", "--yes"), ("drain", "api@h2"), ("restart", "--hosts", "h3", "--yes")]
)
def test_gone_before_the_first_change(pool: Proxied, words: tuple[str, ...]) -> None:
    """Refused with what the socket said; nothing is called broken."""
    before = pool.copies()
    pool.haproxy.stop()
    told = pool.gapless(*words, code=3)
    assert new(pool, before) == []
    assert "balancer edge cannot be asked for api@h" in told
    assert "does not answer" in told
    assert "broken" not in told and "way back" not in told
