"""A source of counts that errs as scripted: the same seed takes the same course.

    rates = FakeRates(clock, seed=7, usual=Errs(0.02, requests=10))
    rates.set(Errs(0.2, requests=10, message="boom"), "web1")     # from now on, on web1
    rates.add("web2", errors=3, message="no such table")          # exactly these, now
    rates.down = SourceUnavailable("connection refused")          # it does not answer any more

Time is cut into seconds; what happened in one is drawn when it is first asked for, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from gapless.clock import Clock
from gapless.drivers.checks.rates import Count
from gapless.errors import GaplessError

_BLOCK = 10
"""Seconds that share a seed."""


@dataclass(frozen=True, slots=True)
class Errs:
    """How a host errs: ``rate`` errors a second; with ``requests`` a second, the share of those
    that fail. ``burst``: errors come so many at a time. ``new``: nobody saw the message before."""

    rate: float = 0.0
    requests: float | None = None
    burst: int = 1
    message: str = "failed"
    new: bool = False


_Second = tuple[int, int, Errs]
"""Errors and requests of one second, and how the host erred then."""


class FakeRates:
    """A RateSource without a server. ``history`` False: it knows nothing of before ``begin``."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        usual: Errs | None = None,
        name: str = "logs (error)",
        history: bool = True,
    ) -> None:
        self._clock, self._seed, self._name, self._history = clock, seed, name, history
        self._usual = usual or Errs()
        self._changes: dict[str, list[tuple[float, Errs]]] = {}
        self._drawn: dict[tuple[str, int], tuple[Random, list[_Second]]] = {}
        self._begun: dict[str, float] = {}
        self._added: dict[str, list[tuple[float, int, int, Errs]]] = {}
        self.down: GaplessError | None = None
        """Raised in place of every answer."""
        self.silent: set[str] = set()
        """Hosts of which there is no data."""
        self.asked: list[tuple[str, float, float]] = []
        """Every question."""

    @property
    def name(self) -> str:
        """For evidence."""
        return self._name

    def set(self, errs: Errs, *hosts: str) -> None:
        """From now on these hosts err so."""
        for host in hosts:
            self._changes.setdefault(host, []).append((self._clock.now(), errs))

    def add(
        self,
        host: str,
        *,
        errors: int,
        requests: int = 0,
        message: str = "failed",
        new: bool = False,
    ) -> None:
        """So many at this moment, besides what is drawn."""
        errs = Errs(message=message, new=new)
        self._added.setdefault(host, []).append((self._clock.now(), errors, requests, errs))

    def take_script_of(self, other: FakeRates) -> None:
        """Tell of the same past as another source: what really happened is the same for all."""
        self._changes, self._drawn = other._changes, other._drawn
        self._added = other._added

    def errs(self, host: str) -> Errs:
        """How it errs now."""
        return self._at(host, self._clock.now())

    async def begin(self, hosts: Sequence[str]) -> None:
        """Without a history, counting begins here, if it answers."""
        for host in hosts if self.down is None else ():
            self._begun.setdefault(host, self._clock.now())

    async def count(self, host: str, since: float, until: float) -> Count | None:
        """Whole seconds that begin in the window."""
        self.asked.append((host, since, until))
        if self.down is not None:
            raise self.down
        if not self._history:
            since = max(since, self._begun.get(host, until))
        if host in self.silent or since >= until:
            return None
        errors = requests = 0
        messages: dict[tuple[str, bool], int] = {}
        added = [one[1:] for one in self._added.get(host, ()) if since <= one[0] < until]
        for bad, all_, errs in (*self._between(host, since, until), *added):
            errors, requests = errors + bad, requests + all_
            if bad:
                key = (errs.message, errs.new)
                messages[key] = messages.get(key, 0) + bad
        ordered = sorted(messages.items(), key=lambda item: -item[1])
        return Count(
            errors,
            until - since,
            None if self._usual.requests is None else requests,
            tuple((text, times) for (text, _), times in ordered),
            tuple((text, times) for (text, new), times in ordered if new),
        )

    def _between(self, host: str, since: float, until: float) -> Iterator[_Second]:
        for second in range(-int(-since // 1), -int(-until // 1)):
            block = second // _BLOCK
            if (host, block) not in self._drawn:
                seed = f"{self._seed} {host} {block}"
                self._drawn[host, block] = Random(seed), []  # noqa: S311 - simulated chance
            random, seconds = self._drawn[host, block]
            while len(seconds) <= second % _BLOCK:
                seconds.append(self._draw(host, block * _BLOCK + len(seconds), random))
            yield seconds[second % _BLOCK]

    def _draw(self, host: str, second: int, random: Random) -> _Second:
        errs = self._at(host, second)
        if errs.requests is None:
            bursts = _poisson(random, errs.rate / errs.burst)
            return bursts * errs.burst, 0, errs
        requests = _poisson(random, errs.requests)
        bursts = sum(random.random() < errs.rate / errs.burst for _ in range(requests))
        return min(requests, bursts * errs.burst), requests, errs

    def _at(self, host: str, moment: float) -> Errs:
        changes = self._changes.get(host, ())
        return next((errs for at, errs in reversed(changes) if at <= moment), self._usual)


def _poisson(random: Random, mean: float) -> int:
    """A number of events of which ``mean`` are expected."""
    least, product, number = exp(-min(mean, 500.0)), random.random(), 0
    while product > least:
        product *= random.random()
        number += 1
    return number
