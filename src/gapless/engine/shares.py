"""The arithmetic of shares: which weights give a new copy its part of the traffic.

1. The old copy has ``own`` of the weights of a pool, all other instances have ``others``. A share
   is of both together: of everything that the service gets there.
2. What the new copy gets the old one gives: the weights of the two are ``own`` together, so that
   what each other instance gets stays what it was.
3. The new copy never gets all that the instance has: the old one keeps the smallest weight there
   is, so that there is something to compare with. A share beyond that means just that much.
4. Weights are whole numbers, and small ones are too coarse for small shares. Then all of them, also
   those of the others, are multiplied by the same number, which moves no traffic: the smallest
   number with which no share is off by more than EXACT, else the one with which they are off least.
5. A share that would be off by more than COARSE cannot be given: there is no weight for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EXACT = 0.02
"""Part of itself by which a share may be off."""
COARSE = 0.25


@dataclass(frozen=True, slots=True)
class Pool:
    """Weights of one balancer before anything was changed; ``heaviest`` is the largest of them,
    ``most`` the largest that it can have."""

    own: int
    others: int
    heaviest: int
    most: int


@dataclass(frozen=True, slots=True)
class Split:
    """Weights of the new and of the old copy; every other weight is multiplied by ``times``.
    ``share`` is what the new one really gets of everything."""

    new: int
    old: int
    times: int
    share: float


def splits(shares: Sequence[float], pool: Pool) -> tuple[Split, ...]:
    """The weights at each share; none where one of them cannot be given (rule 5)."""
    best: tuple[Split, ...] = ()
    least = COARSE
    for times in range(1, pool.most // max(1, pool.heaviest) + 1):
        if pool.own * times < 2:
            continue
        made = tuple(_split(share, pool, times) for share in shares)
        off = max(
            (_off(split, share, pool) for split, share in zip(made, shares, strict=True)),
            default=0.0,
        )
        if off <= EXACT:
            return made
        if off < least:
            best, least = made, off
    return best


def _split(share: float, pool: Pool, times: int) -> Split:
    own, everything = pool.own * times, (pool.own + pool.others) * times
    new = min(max(1, round(share * everything)), own - 1)
    return Split(new, own - new, times, new / everything)


def _off(split: Split, share: float, pool: Pool) -> float:
    wanted = min(share, pool.own / (pool.own + pool.others))
    return abs(split.share - wanted) / wanted
