"""``rollout:`` — order, batches and what happens on failure."""

from __future__ import annotations

from typing import Literal

from gapless.config.base import Section
from gapless.config.ordering import Canary, Then
from gapless.config.quantities import Amount, Count, Duration
from gapless.config.shifting import Shares


class GroupConfig(Section):
    """Hosts that are replaced before those of the next group are begun."""

    group: str
    """A group, a host or a range of hosts; a host that is in several belongs to the first."""
    batch: Amount | None = None
    """Instances replaced at the same time, shares are of this group; default: rollout.batch."""
    canary: Canary = 0
    """Instances of this group that go first, one after another: how many, or which."""
    then: Then = 0.0
    """Before the next group: a pause, or approve, a person's word (gapless promote)."""


class RolloutConfig(Section):
    """How the instances of a service are replaced."""

    strategy: (
        Literal["rolling", "start-first", "canary", "blue-green", "handover", "followers-first"]
        | None
    ) = None
    """How instances are replaced. rolling: in place, batch after batch. start-first: the new copy
    serves before the old one is stopped. canary: likewise, and those that go first get the traffic
    in shares (shift), where there are some. blue-green: a whole second set is started, and traffic
    switched once. handover: copies that hold connections of their own change places, event by
    event. followers-first: members of a cluster, one after the other, leaders moved first. Default:
    handover or followers-first where a service has handover or cluster, start-first where two
    copies can be beside each other, else rolling."""
    park: Duration = 0.0
    """blue-green: how long the old set stands by, running and out of traffic, after the new one was
    watched; going back takes no start until then."""
    canary: Canary = 0
    """Instances that go first, one after another; the rest follows only if they pass. A number, a
    share, or names of hosts and groups. With strategy: canary at least one does."""
    shift: Shares = ()
    """canary: the shares of the traffic that the new copy of each instance that goes first gets
    beside the old one, one after another (5%, 25%). It is watched and judged at each of them; what
    is wrong gives the old one all of it back at once."""
    hold: Duration = 60.0
    """How long each share of shift is held that says nothing else."""
    batch: Amount = 1
    """Instances replaced at the same time; of a cluster at most, where groups can spare them."""
    groups: tuple[GroupConfig, ...] = ()
    """Groups in the order in which they are replaced; hosts in none of them come last."""
    spread: Literal["none", "zone"] = "none"
    """zone: never two instances of one zone (hosts.NAME.zone) in work at the same time; a host
    without a zone is replaced alone."""
    max_unavailable: Amount = 1
    """Instances that may be out at any moment, broken and unreachable ones included."""
    max_failed: Count = 0
    """Failed instances, counted over all services of the rollout, that do not stop this service
    yet."""
    on_failure: Literal["rollback", "stop", "pause"] = "rollback"
    """Undo every instance of this rollout, leave it as it is, or wait for a person. Of a cluster:
    stop, unless pause is said."""
    pause: Duration = 0.0
    """Between two batches."""

    @property
    def held(self) -> float:
        """Seconds for which the shares are held together."""
        return sum(self.hold if one.hold is None else one.hold for one in self.shift)
