"""What the keys of every kind of balancer share."""

from __future__ import annotations

from typing import ClassVar

from gapless.config.base import Section
from gapless.config.quantities import Names


class BalancerKind(Section):
    """The keys of one kind: each is a field of ``BalancerConfig`` named as in gapless.yaml."""

    holds_floor: ClassVar[bool] = True
    """Whether its nodes tell how many other members are up; without it ``floor`` is refused."""
    shifts: ClassVar[bool] = False
    """Whether the weights of its members can share out traffic; without it ``rollout.shift`` is
    refused."""
    member_key: ClassVar[str] = ""
    """The key that says which member an instance is; without it nobody can tell beforehand."""

    def member(self, host: str) -> str:
        """Which member an instance on ``host`` is, before it is filled in."""
        return str(getattr(self, self.member_key)) if self.member_key else ""


class OnHosts(BalancerKind):
    """A kind that is steered on hosts, one node on each."""

    on: Names = ()
    """Hosts that run it; default: the machine gapless runs on."""
