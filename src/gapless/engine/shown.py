"""What a new copy showed while it had its shares of the traffic: the word of the judge who had the
old copy beside it, and what was counted until then.

1. It is journaled with each share that was held. The last one is of all shares together.
2. A PASS stands when the new copy has all of the traffic, and nobody is beside it any more: from
   then on only what is worse says otherwise. What was before is then what the old copy had in the
   last share, too: the same host, the old release, a moment ago.
3. What was too little to decide is counted on with what comes after. Then all that the old copy had
   beside it is a part of what was before.
4. A source that does not answer any more is unknown all the same: what was shown is of earlier.
5. A controller that goes on counts on from there.
6. Once errors rose everywhere and a person let the rollout go on, it is judged anew: what was shown
   until then is no measure any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gapless.engine.context import InstanceContext
from gapless.engine.held import judged_anew_since
from gapless.engine.look import Look
from gapless.judge.gate import Finding
from gapless.judge.tally import Tally
from gapless.model import Instance, Verdict


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts up to ``until`` (seconds since the epoch): of the new copy, of those beside it by
    name, of each of them before; ``wealth`` is that of the contest."""

    until: float
    new: Tally
    others: Mapping[str, Tally] = field(default_factory=dict)
    before: Tally | None = None
    others_before: Mapping[str, Tally] = field(default_factory=dict)
    wealth: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        return {
            "until": self.until,
            "new": self.new.to_json(),
            "others": {name: one.to_json() for name, one in self.others.items()},
            "before": None if self.before is None else self.before.to_json(),
            "others_before": {name: one.to_json() for name, one in self.others_before.items()},
            "wealth": list(self.wealth),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Counted:
        """What a journal record holds."""
        return cls(
            data["until"],
            Tally(*data["new"]),
            {name: Tally(*one) for name, one in data["others"].items()},
            None if data["before"] is None else Tally(*data["before"]),
            {name: Tally(*one) for name, one in data["others_before"].items()},
            tuple(data["wealth"]),
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """Of one rate, by the name of its source. ``counted`` in all shares, None: nothing was;
    ``last`` what the old copy had in the last of them."""

    source: str
    look: Look
    counted: Counted | None = None
    last: Tally = field(default_factory=Tally)

    @property
    def well(self) -> bool:
        """Whether it is a PASS."""
        return self.look.finding is Finding.GOOD

    def to_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        return {
            "source": self.source,
            "finding": self.look.finding.value,
            "verdict": self.look.verdict.to_json(),
            "counted": None if self.counted is None else self.counted.to_json(),
            "last": self.last.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Shown:
        """What a journal record holds."""
        counted = data["counted"]
        return cls(
            data["source"],
            Look(Finding(data["finding"]), Verdict.from_json(data["verdict"])),
            None if counted is None else Counted.from_json(counted),
            Tally(*data["last"]),
        )


def shown_of(ctx: InstanceContext, source: str) -> Shown | None:
    """At the last share that was held; None where there was none, or it is no measure any more
    (rule 6)."""
    shares = len(ctx.config.rollout.shift)
    for number in range(shares, 0, -1):
        record = ctx.rollout.steps.get(share_key(ctx, number))
        if record is None:
            continue
        told = record.result.get("shown", ())
        of_it = next((one for one in told if one["source"] == source), None)
        if of_it is None or record.ended <= judged_anew_since(ctx):
            return None
        return Shown.from_json(of_it)
    return None


def named(copy: Instance) -> str:
    """A copy among those that are counted beside another."""
    return f"{copy.host}/{copy.slot}"


def share_key(ctx: InstanceContext, number: int) -> str:
    """Journal key of a share that was held; the first is 1."""
    return ctx.key(f"shift-{number}")
