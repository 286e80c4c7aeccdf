"""Shards, partitions, subscriptions: what a program is connected to. Connected is not alive, so
each must have shown an event or a heartbeat since."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable


class Unit:
    """One connection, or what counts as one."""

    def __init__(self, name: str, life: float) -> None:
        self.name = name
        self._life = life
        self._connected = False
        self._beat: float | None = None

    def connected(self) -> None:
        """Not ready yet: that takes a sign of life."""
        self._connected, self._beat = True, None

    def beat(self) -> None:
        """An event or a heartbeat came over this connection."""
        self._beat = time.monotonic()

    def lost(self) -> None:
        """The connection is gone."""
        self._connected, self._beat = False, None

    @property
    def ready(self) -> bool:
        """Connected and alive."""
        beat = self._beat
        return self._connected and beat is not None and time.monotonic() - beat <= self._life

    @property
    def age_ms(self) -> int | None:
        """Milliseconds since the last sign of life of this connection."""
        beat = self._beat
        return None if beat is None else int((time.monotonic() - beat) * 1000)


class Units:
    """All of them, by name."""

    def __init__(self, names: Iterable[str], life: float) -> None:
        self._life = life
        self._units = {name: Unit(name, life) for name in names}
        self._changing = threading.Lock()

    def __getitem__(self, name: str) -> Unit:
        try:
            return self._units[name]
        except KeyError:
            known = ", ".join(self._units) or "none"
            raise ValueError(f"there is no unit {name!r}; units are: {known}") from None

    def add(self, name: str) -> Unit:
        """One that came later; the same one again where it is there already."""
        with self._changing:
            units = dict(self._units)
            unit = units.setdefault(name, Unit(name, self._life))
            self._units = units
            return unit

    def remove(self, name: str) -> None:
        """Its readiness does not matter any more."""
        with self._changing:
            self._units = {key: unit for key, unit in self._units.items() if key != name}

    @property
    def ready(self) -> int:
        """Connected and alive."""
        return sum(unit.ready for unit in self._units.values())

    @property
    def all_ready(self) -> bool:
        """True where there are none."""
        return all(unit.ready for unit in self._units.values())

    def __len__(self) -> int:
        return len(self._units)

    def status(self) -> dict[str, dict[str, object]]:
        """By name."""
        return {
            name: {"ready": unit.ready, "last_event_age_ms": unit.age_ms}
            for name, unit in self._units.items()
        }
