"""``verify: - level:`` — a number that has to come back to what it was."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gapless.config.quantities import Duration, Limit
from gapless.config.server import ServerConfig


class LevelConfig(ServerConfig):
    """A number in Prometheus that says how things are, as a latency or a lag: after each instance
    it has to be back before the next one is touched."""

    query: Annotated[str, Field(min_length=1)]
    """PromQL; of several series the largest value counts. <command fields> are filled in, other
    braces stay."""
    name: str = ""
    """What it is called in verdicts; default: the query."""
    most: float | None = None
    """What it may be at most."""
    times: Annotated[float, Field(ge=1)] | None = None
    """How many times its value before the rollout it may be at most."""
    floor: Annotated[float, Field(ge=0)] = 0.0
    """With times: what is not too much however little it was before."""
    baseline: Limit = 600.0
    """How far back "before the rollout" reaches; the median of it counts."""
    grace: Duration = 30.0
    """How long after the switch a value may still be one from before it: longer than between two
    scrapes."""
    steady: Duration = 10.0
    """How long it has to stay back."""
    interval: Limit = 5.0
    """Between two looks."""
    extend: Duration = 300.0
    """How long after the soak it may take to come back."""
    on_insufficient: Literal["pass", "fail", "pause"] = "pause"
    """When nobody knows it at the end: go on, undo the instance, or wait for a person."""

    @property
    def title(self) -> str:
        """For people."""
        return f"level ({self.name or self.query})"

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.most is None and self.times is None:
            raise ValueError("level: give most, times, or both")
        if self.floor and self.times is None:
            raise ValueError("floor is a part of times: give times, too")
        if self.most is not None and self.floor > self.most:
            raise ValueError("floor is above most: nothing would be looked at")
        return self
