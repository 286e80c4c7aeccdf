"""How many rounds a cluster is restarted in, and how long it takes to find them.

``one by one`` is what everybody does; ``by zone`` keeps zones apart; ``greedy`` and ``DSATUR`` are
ways of which the best is chosen and its ranks closed. Seconds are of the processor, the best of
several.

With a reserve of one a group that can spare two gives one, so that it bears a failure that nobody
planned. With RF 4, a minimum of two and no heed of zones any two members share a group: 60 rounds
with the reserve, 13 at most without. It is the one or the other.

Small clusters are drawn several times, and a bound is for the luckiest draw: with three copies what
is found is mostly the size of the largest set of members no two of which may go together, so that
no way could be better.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.results import Bound, table
from gapless.clusters.colouring import colouring
from gapless.clusters.greedy import greedy
from gapless.clusters.order import Order
from gapless.clusters.rounds import rounds
from gapless.clusters.tolerance import Tolerance
from gapless.clusters.topology import Topology
from tests.unit.clusters.placements import anywhere, spread

Make = Callable[..., Topology]
PLACEMENTS: dict[str, Make] = {
    "clean": spread,
    "1 % amiss": partial(spread, amiss=0.01),
    "anywhere": anywhere,
}
SIZES = {
    "60 x 3,000": (60, 3000),
    "300 x 30,000": (300, 30_000),
    "1,000 x 100,000": (1000, 100_000),
}
MOST = {
    (3, 2, 1): (3, 6, 50),
    (4, 2, 0): (2, 4, 13),
    (4, 2, 1): (4, 9, 60),
    (5, 3, 0): (3, 5, 17),
    (5, 3, 1): (5, 13, 60),
}  # fmt: skip
"""Rounds of 60 members with 3,000 groups, by copies, minimum and reserve, for each placement."""
SECONDS = {"300 x 30,000": 0.5, "1,000 x 100,000": 3.0}
"""With three copies, two of them needed."""
COPIES = (3, 2, 1)


DRAWS = range(5)


@dataclass(frozen=True)
class Found:
    """Rounds by each way; CPU seconds of all that it takes to choose."""

    members: int
    by_zone: int
    by_greed: int
    by_colour: int
    chosen: int
    seconds: float

    @property
    def counts(self) -> tuple[int, ...]:
        """As the columns of the table."""
        return (self.members, self.by_zone, self.by_greed, self.by_colour, self.chosen)


def measure(topology: Topology, reserve: int, times: int) -> Found:
    """All ways over one topology."""
    going = Order(topology).of_members(topology.members)
    tolerance = Tolerance(topology, going, reserve=reserve)
    zones = rounds(topology, going, at_once=None, zones_apart=True, reserve=reserve)
    seconds = []
    for _ in range(times):
        started = time.process_time()
        chosen = rounds(topology, going, at_once=None, reserve=reserve)
        seconds.append(time.process_time() - started)
    return Found(
        len(going),
        len(zones.each),
        len(greedy(tolerance)),
        len(colouring(tolerance, tolerance.everyone)),
        len(chosen.each),
        min(seconds),
    )


def main(short: bool) -> list[Bound]:
    """Sixty members in every setting; the large ones with three copies, and not --short with more
    as well."""
    rows, bounds = [], []
    for size, setting in _settings(short):
        for number, (placed, make) in enumerate(PLACEMENTS.items()):
            copies, minimum, reserve = setting
            draws = DRAWS if size not in SECONDS else DRAWS[:1]
            made = (make(*SIZES[size], copies, minimum, seed=seed) for seed in draws)
            found = [measure(topology, reserve, 2 if short else 3) for topology in made]
            rows.append(_row((size, *map(str, setting), placed), found))
            name = f"{size}, RF {copies}, minimum {minimum}, reserve {reserve}, {placed}"
            if size not in SECONDS:
                fewest = min(one.chosen for one in found)
                bounds.append(Bound(f"rounds of {name}", fewest, MOST[setting][number], "rounds"))
            elif setting == COPIES:
                took = found[0].seconds
                bounds.append(Bound(f"finding rounds of {name}", took, SECONDS[size], "s"))
    heads = ("cluster", "RF", "minimum", "reserve", "placed", "one by one", "by zone", "greedy")
    table("rounds of a cluster", (*heads, "DSATUR", "chosen", "CPU"), rows)
    return bounds


def _row(names: tuple[str, ...], found: list[Found]) -> list[str]:
    columns = zip(*(one.counts for one in found), strict=True)
    return [*names, *map(_range, columns), f"{min(one.seconds for one in found) * 1000:.0f} ms"]


def _range(counts: tuple[int, ...]) -> str:
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least}-{most}"


def _settings(short: bool) -> list[tuple[str, tuple[int, int, int]]]:
    small = [("60 x 3,000", setting) for setting in MOST]
    wide = [] if short else [(4, 2, 0), (5, 3, 0)]
    return small + [(size, setting) for size in SECONDS for setting in (COPIES, *wide)]


if __name__ == "__main__":
    for bound in main(short=True):
        print(" | ".join(bound.row))
