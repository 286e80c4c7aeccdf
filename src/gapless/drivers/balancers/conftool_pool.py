"""A pool as conftool keeps it: one value per member, ``{"pooled": "yes", "weight": 10}``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

POOLED, INACTIVE = "yes", "inactive"
_STATES = (POOLED, "no", INACTIVE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. ``revision`` is that of its last change; ``value`` all that is kept of it."""

    name: str
    revision: int
    text: str
    value: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, revision: int, text: str) -> Entry:
        """The entry; its value is empty when the text is not of the form."""
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        fits = isinstance(value, dict) and value.get("pooled") in _STATES
        return cls(name, revision, text, value if fits else {})

    @property
    def readable(self) -> bool:
        """Whether the value has the form."""
        return bool(self.value)

    @property
    def pooled(self) -> bool:
        """Whether it is wanted in traffic: a weight of 0 gets none."""
        return self.value.get("pooled") == POOLED and self.weight != 0

    @property
    def out(self) -> bool:
        """Whether it was told to get none."""
        return self.readable and self.value["pooled"] != POOLED

    @property
    def weight(self) -> int | None:
        """Its weight, where it has one."""
        weight = self.value.get("weight")
        return weight if isinstance(weight, int) and not isinstance(weight, bool) else None

    def told(self, pooled: str) -> str:
        """The text that says ``pooled`` and leaves everything else as it is; in or out as it has
        to be already, that is the text there is."""
        same = self.out == (pooled != POOLED)
        return self.text if same else json.dumps({**self.value, "pooled": pooled})

    def weighing(self, weight: int) -> str:
        """The text with another weight."""
        return self.text if self.weight == weight else json.dumps({**self.value, "weight": weight})

    def __str__(self) -> str:
        if not self.readable:
            return f"{self.name} {self.text[:200]!r}"
        weight = "" if self.weight is None else f", weight {self.weight}"
        return f"{self.name} pooled={self.value['pooled']}{weight}"


@dataclass(frozen=True, slots=True)
class Pool:
    """The members of one folder at one revision."""

    revision: int
    entries: Mapping[str, Entry]

    @property
    def size(self) -> int:
        """Members that the load balancers know: the inactive are in no configuration of theirs."""
        return sum(e.value.get("pooled") != INACTIVE for e in self.entries.values())

    def others(self, name: str) -> int:
        """How many others are wanted in traffic."""
        return sum(e.pooled for e in self.entries.values() if e.name != name)

    def least(self, threshold: int | str) -> int:
        """How many have to stay: a share is one of the size now, rounded up as PyBal does."""
        if isinstance(threshold, int):
            return threshold
        return math.ceil(self.size * int(threshold.rstrip("%")) / 100)
