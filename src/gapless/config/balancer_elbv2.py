"""``balancers.NAME.elbv2``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from gapless.config.balancer_kind import BalancerKind
from gapless.config.quantities import Limit, Names, Port


class Elbv2Config(BalancerKind):
    """Target groups of an AWS load balancer (ALB, NLB). Asked from the machine gapless runs on,
    with the credentials that boto3 finds there; needs ``gapless[aws]``."""

    member_key: ClassVar[str] = "target"

    target_group: Annotated[Names, Field(min_length=1)]
    """Name or ARN of the target group, or of several that all have the instances."""
    target: str = "{address}"
    """What an instance is registered as; <command fields> are filled in."""
    targets: dict[str, str] = Field(default_factory=dict)
    """Target by host where that is something else, such as an instance id."""
    port: Port | None = None
    """Port of the targets; default: that of the target group."""
    region: str | None = None
    """AWS region; default: the one of the profile or environment."""
    profile: str | None = None
    """Profile of the AWS configuration; default: what boto3 chooses."""
    endpoint: str | None = None
    """URL of the API; default: that of the region."""
    timeout: Limit = 10.0
    """Limit of each call."""

    def member(self, host: str) -> str:
        """What is given for the host, else what all of them have."""
        return self.targets.get(host) or self.target
