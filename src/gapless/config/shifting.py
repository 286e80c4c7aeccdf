"""Values of ``rollout.shift``: which share of the traffic, and for how long."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import model_validator

from gapless.config.base import Section
from gapless.config.quantities import Duration, OneOrMany, Share


class ShareConfig(Section):
    """One share of the traffic that a new copy gets."""

    share: Share
    """Of all requests of the service; never more than the part of the instance that it is a copy
    of."""
    hold: Duration | None = None
    """How long the new copy is watched at this share; default: rollout.hold."""

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:
        return {"share": data} if isinstance(data, (str, int, float)) else data


Shares = Annotated[tuple[ShareConfig, ...], OneOrMany()]
"""In their order; one alone needs no list, and a share alone no mapping."""
