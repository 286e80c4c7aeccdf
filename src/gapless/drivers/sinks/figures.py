"""Numbers with labels: totals that grow, and values of which the last one counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a metric. Labels without a value are left out."""

    name: str
    labels: Labels

    @classmethod
    def of(cls, name: str, labels: Mapping[str, str]) -> Series:
        """With the labels in the order given."""
        return cls(name, tuple((label, value) for label, value in labels.items() if value))

    def without(self, label: str) -> Series:
        """The same of everybody."""
        return Series(self.name, tuple(pair for pair in self.labels if pair[0] != label))


@dataclass
class Figures:
    """``totals`` are added up; of ``last``, a moment and a value, the newest counts."""

    totals: dict[Series, float] = field(default_factory=dict)
    last: dict[Series, tuple[float, float]] = field(default_factory=dict)

    def add(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """More of a total."""
        series = Series.of(name, labels)
        self.totals[series] = self.totals.get(series, 0.0) + value

    def put(self, name: str, at: float, value: float, labels: Mapping[str, str]) -> None:
        """A value as it was at that moment."""
        self._newest(Series.of(name, labels), (at, value))

    def copy(self) -> Figures:
        """As they are now."""
        return Figures(dict(self.totals), dict(self.last))

    def take_in(self, others: Figures) -> None:
        """Those of another rollout."""
        for series, value in others.totals.items():
            self.totals[series] = self.totals.get(series, 0.0) + value
        for series, found in others.last.items():
            self._newest(series, found)

    def _newest(self, series: Series, found: tuple[float, float]) -> None:
        self.last[series] = max(found, self.last.get(series, found), key=lambda one: one[0])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "totals": [[one.name, list(one.labels), value] for one, value in self.totals.items()],
            "last": [[one.name, list(one.labels), *found] for one, found in self.last.items()],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figures:
        """What ``to_json`` made."""
        totals = {_series(name, labels): float(value) for name, labels, value in data["totals"]}
        last = {
            _series(name, labels): (float(at), float(value))
            for name, labels, at, value in data["last"]
        }
        return cls(totals, last)


def _series(name: str, labels: Iterable[Iterable[str]]) -> Series:
    pairs = (tuple(map(str, pair)) for pair in labels)
    return Series(str(name), tuple((label, value) for label, value in pairs))
