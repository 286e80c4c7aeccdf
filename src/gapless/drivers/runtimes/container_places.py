"""Which container is a copy of which instance, where a host has several instances of a service.

1. One that we made says so by a label.
2. One that says nothing, and beside which we made a copy, is of the same instance: the copy's label
   has its id.
3. The others that say nothing are of the instances which have none, in the order of the numbers
   that compose gave them; one whose number is that of such an instance is of that one.
4. What is left is of no instance: there are too many. Where a host has one instance, all are of it
   but those whose label is of another number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gapless.drivers.runtimes.container_view import BESIDE, Container, Sight


def at_place(seen: Sight, place: int, of: int) -> Sight:
    """Those of one instance of ``of``, with those that are of none."""
    if of == 1:
        strangers = tuple(one for one in seen.copies if one.place > 1)
        ours = tuple(one for one in seen.containers if one not in strangers)
        return replace(seen, containers=ours, strangers=strangers)
    placed = places(seen.copies, of)
    ours = tuple(one for one in seen.copies if placed.get(one.id) == place)
    strangers = tuple(one for one in seen.copies if one.id not in placed)
    return replace(seen, containers=ours, strangers=strangers)


def places(copies: Iterable[Container], of: int) -> Mapping[str, int]:
    """The instance of each container by its id; those of none are left out."""
    known = [one for one in copies if 1 <= one.place <= of]
    placed = {one.id: one.place for one in known}
    beside = {one.labels[BESIDE]: one.place for one in known if BESIDE in one.labels}
    silent = sorted((one for one in copies if not one.place), key=_ordinal)
    placed |= {one.id: beside[one.id] for one in silent if one.id in beside}
    free = [number for number in range(1, of + 1) if number not in placed.values()]
    left = [one for one in silent if one.id not in placed]
    for one in left:
        if one.ordinal in free:
            free.remove(one.ordinal)
            placed[one.id] = one.ordinal
    left = [one for one in left if one.id not in placed]
    return {**placed, **{one.id: number for one, number in zip(left, free, strict=False)}}


def _ordinal(one: Container) -> tuple[int, str]:
    return one.ordinal, one.id
