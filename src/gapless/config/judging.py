"""How counted errors become a verdict: the keys that every kind of rate in ``verify`` has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gapless.config.base import Section
from gapless.config.quantities import Duration, Flag, Limit, Share


class JudgeConfig(Section):
    """How counted errors of a new instance become PASS, FAIL or INCONCLUSIVE: compared with the
    same host before, and with hosts that were not touched yet."""

    alpha: Annotated[float, Field(gt=0, le=0.1)] = 0.001
    """Chance that a rollout of the service fails though nothing is worse than before; shared out
    among its rates and hosts, and good for any number of looks."""
    baseline: Limit = 600.0
    """How far back "before" reaches."""
    interval: Limit = 5.0
    """Between two looks."""
    grace: Duration = 0.0
    """How long after the switch errors are taken for the noise of a start; crashes always count."""
    extend: Duration = 300.0
    """How much longer than its soak an instance is watched while there is too little data."""
    effect: Annotated[float, Field(gt=1.5)] = 10.0
    """How many times as many errors as before matter: a PASS says that they would have been
    noticed."""
    least_rate: Annotated[float, Field(gt=0)] = 60.0
    """Incidents a minute on one host that a PASS rules out, however few there were before; where
    errors alone are counted."""
    least_share: Share = 0.2
    """Share of failed requests that a PASS rules out, however few there were before; where requests
    are counted, too."""
    ceiling: Share | None = None
    """Share of failed requests that is too much whatever was before."""
    on_insufficient: Literal["pass", "fail", "pause"] = "pause"
    """When there is still too little data at the end: go on, undo the instance, or wait for a
    person."""
    controls: Flag = True
    """Whether the hosts not touched yet are counted, too: where they rise as well, the rollout
    pauses instead of blaming the release."""
