"""What tells one process of ZooKeeper from the next."""

from __future__ import annotations

import pytest

from gapless.drivers.clusters.zookeeper_life import Life, recalled

BEFORE = Life(1000.0, 2, 5000)


def test_it_is_kept_as_text() -> None:
    assert str(BEFORE) == "1000.0/2/5000" and recalled(str(BEFORE)) == BEFORE
    for other in ("", "LIFE", "1/2", "1/2/x", "1/2/3/4"):
        assert recalled(other) is None


@pytest.mark.parametrize(
    ("now", "another"),
    [
        (Life(1000.4, 2, 6000), False),
        (Life(1900.0, 3, 6000), False),
        (Life(1900.0, 2, 6000), True),
        (Life(1900.0, 1, 6000), True),
        (Life(1900.0, 3, 40), True),
        (Life(1900.0, 2, 6000, width=899.5), False),
    ],
    ids=["same role", "an election", "no election", "fewer", "less received", "asked too long"],
)
def test_only_what_is_sure_is_another_process(now: Life, another: bool) -> None:
    assert now.is_another(BEFORE) is another


def test_it_keeps_its_name_while_the_role_lasts() -> None:
    assert Life(1000.7, 2, 9000).named(BEFORE) is BEFORE
    for now in (Life(1900.0, 3, 9000), Life(1900.0, 2, 9000), Life(1000.2, 2, 40)):
        assert now.named(BEFORE) is now
    assert BEFORE.named(None) is BEFORE


def test_a_clock_that_is_set_back_makes_nothing_up() -> None:
    assert not Life(1000.0 - 0.9, 2, 6000).is_another(BEFORE)
    assert Life(1002.0, 2, 6000).is_another(BEFORE)
