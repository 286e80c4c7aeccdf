"""The weights that make a share: exact where weights can be, never more than an instance has."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.engine.shares import COARSE, EXACT, Pool, Split, splits

weights = st.integers(1, 256)
shares = st.lists(st.integers(1, 99).map(lambda each: each / 100), min_size=1, max_size=4)


def made(share: float, own: int, *others: int, most: int = 256) -> Split | None:
    pool = Pool(own, sum(others), max((own, *others)), most)
    return next(iter(splits([share], pool)), None)


def test_the_old_copy_gives_what_the_new_one_gets() -> None:
    assert made(0.05, 100) == Split(5, 95, 1, 0.05)
    assert made(0.25, 100, 100, 100, 100) == Split(99, 1, 1, 99 / 400)
    assert made(0.05, 100, 100, 100, 100) == Split(20, 80, 1, 0.05)


def test_small_weights_are_multiplied_which_moves_no_traffic() -> None:
    assert made(0.05, 1) == Split(1, 19, 20, 0.05)
    assert made(0.1, 1, 1) == Split(1, 4, 5, 0.1)


def test_shares_of_one_shift_have_one_factor() -> None:
    small, large = splits([0.05, 0.5], Pool(1, 0, 1, 256))
    assert (small.times, large.times) == (20, 20)
    assert (small, large) == (Split(1, 19, 20, 0.05), Split(10, 10, 20, 0.5))


def test_what_no_weight_can_give_is_not_given() -> None:
    assert made(0.001, 1) is None
    assert made(0.001, 1, most=65535) is not None
    assert made(0.05, 1, 200) is None  # the instance has half a percent


@settings(deadline=None)
@given(shares, weights, st.lists(weights, max_size=5), st.sampled_from([256, 65535]))
def test_every_weight_is_one_that_the_balancer_has(
    wanted: list[float], own: int, others: list[int], most: int
) -> None:
    pool = Pool(own, sum(others), max((own, *others)), most)
    part = own / (own + sum(others))
    for share, split in zip(wanted, splits(wanted, pool), strict=False):
        assert min(split.new, split.old) >= 1
        assert split.new + split.old == own * split.times
        assert pool.heaviest * split.times <= most
        assert split.share < part
        aim = min(share, part)
        assert abs(split.share - aim) <= COARSE * aim


@settings(deadline=None)
@given(shares, st.integers(100, 128))
def test_a_service_of_one_instance_always_gets_its_shares(wanted: list[float], own: int) -> None:
    """Off by half a weight at most."""
    found = splits(wanted, Pool(own, 0, own, 256))
    for share, split in zip(wanted, found, strict=True):
        assert abs(split.share - share) <= max(EXACT * share, 0.5001 / own)
