"""The controller is killed anywhere in a restart of a real cluster, and goes on by ``resume``.

Three moments of a seed that is drawn each time; ``python -m bench clusters --kills 200`` has more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from bench.clustering import kills
from bench.clustering.etcd import EtcdRig

pytestmark = [pytest.mark.xdist_group("killed_at_random"), pytest.mark.timeout(170)]
_TIMES = 2
_LONGEST = 5.0
"""Seconds within which it is killed: about as long as the restart takes."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdRig]:
    made = EtcdRig(tmp_path_factory.mktemp("etcd"))
    try:
        made.begin(0.0)
        yield made
    finally:
        made.end()


def test_nobody_is_started_twice_and_nothing_is_lost(rig: EtcdRig) -> None:
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    done = [kills.killed(rig, draw.uniform(0.3, _LONGEST)) for _ in range(_TIMES)]
    print(seed, done)
    assert not [one for one in done if one.amiss], (seed, done)
