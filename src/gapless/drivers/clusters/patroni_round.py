"""A cluster of Patroni as all hosts that were asked showed it, in one round. No side effects.

1. Members are those that anybody lists. One leads whom all that tell of the cluster name, alone;
   where they do not agree, nobody does.
2. How far behind a replica is, is the leader's own position less its own, both asked of PostgreSQL
   in this round: what the store (DCS) has of it is seconds old. ``mark`` is the leader's position
   of when the round began: who is asked a moment later is not behind for that.
3. A member is well when PostgreSQL runs, for itself and for the store; the leader takes writes and
   no other does; a replica streams, on the leader's timeline, and is no more than ``lag`` behind.
4. All that are well are in sync: with one of them the cluster goes on. Under
   ``synchronous_mode_strict`` as many standbys as have to be synchronous are needed beside it.
5. Who may take over is narrower: nobody tagged ``nofailover``, and under ``synchronous_mode`` only
   who has whatever was acknowledged: another one would lose writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.order import natural
from gapless.drivers.clusters.patroni_sight import Sight
from gapless.drivers.clusters.patroni_view import RUNNING, STREAMING, Listed, Settings, Status

_WELL = (RUNNING, STREAMING)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a member is not well: in code, in words, and what to do."""

    code: str
    what: str
    next: str


@dataclass(frozen=True)
class Round:
    """See above; ``sights`` has one for each host that was asked, ``places`` by host the name of
    the member there."""

    sights: tuple[Sight, ...]
    lag: int
    places: Mapping[str, str] = field(default_factory=dict)
    mark: int | None = None

    @cached_property
    def answers(self) -> dict[str, Sight]:
        """By name the members that answered, each where it was asked first."""
        found: dict[str, Sight] = {}
        for sight in self.sights:
            if sight.status is not None and sight.host in self.places:
                found.setdefault(self.places[sight.host], sight)
        return found

    @cached_property
    def views(self) -> tuple[Sight, ...]:
        """Those that tell of the cluster."""
        return tuple(sight for sight in self.sights if sight.view is not None)

    @cached_property
    def listed(self) -> dict[str, tuple[Listed, ...]]:
        """By name what each view has of a member."""
        found: dict[str, list[Listed]] = {}
        for sight in self.views:
            assert sight.view is not None
            for one in sight.view.members.values():
                found.setdefault(one.name, []).append(one)
        return {name: tuple(found[name]) for name in sorted(found, key=natural)}

    @cached_property
    def scope(self) -> str:
        """The name of the cluster, as most that answer have it."""
        told = [sight.status.scope for sight in self.sights if sight.status is not None]
        return max(sorted(set(told)), key=told.count, default="")

    @cached_property
    def leader(self) -> str:
        """Whom all views name; "" where they do not agree."""
        named = {sight.view.leaders for sight in self.views if sight.view is not None}
        only = named.pop() if len(named) == 1 else ()
        return only[0] if len(only) == 1 else ""

    @property
    def head(self) -> Status | None:
        """What the leader says of itself."""
        return self.status(self.leader)

    @cached_property
    def settings(self) -> Settings:
        """What members go by; where they differ, the strictest."""
        told = [sight.settings for sight in self.sights if sight.settings is not None]
        if not told:
            return Settings()
        return Settings(
            synchronous=any(one.synchronous for one in told),
            strict=any(one.strict for one in told),
            standbys=max(one.standbys for one in told),
            ttl=min(one.ttl for one in told),
        )

    @property
    def paused(self) -> bool:
        """Whether anybody says that Patroni leaves PostgreSQL alone."""
        views = (sight.view.paused for sight in self.views if sight.view is not None)
        return any(views) or any(s.status.paused for s in self.sights if s.status is not None)

    def status(self, member: str) -> Status | None:
        """What it says of itself, None where it does not answer."""
        sight = self.answers.get(member)
        return sight.status if sight is not None else None

    def host(self, member: str) -> str:
        """Where it runs, "" where that is not known, or where two hosts have it."""
        hosts = [host for host, name in self.places.items() if name == member]
        return hosts[0] if len(hosts) == 1 else ""

    def behind(self, member: str) -> int | None:
        """How many bytes it has still to replay, None where nobody knows."""
        status = self.status(member)
        if member == self.leader:
            return 0
        if status is None or status.location is None or self.mark is None:
            return None
        return max(0, self.mark - status.location)

    def late(self, member: str) -> bool:
        """Whether that is more than it may be."""
        behind = self.behind(member)
        return behind is not None and behind > self.lag

    def trouble(self, member: str) -> Trouble | None:
        """Why it is not in sync, the first that holds; None for one that is."""
        status = self.status(member)
        if status is None:
            sight = next((s for s in self.sights if s.host == self.host(member)), None)
            why = f": {sight.why}" if sight is not None and sight.why else ""
            hint = sight.next if sight is not None else ""
            return Trouble("silent-member", f"does not answer{why}", hint)
        return next(self._troubles(member, status), None)

    def _troubles(self, member: str, status: Status) -> Iterator[Trouble]:
        log = f"the log of Patroni on {self.host(member)}"
        if status.state != RUNNING:
            yield Trouble("not-running", f"its PostgreSQL is {status.state}", log)
        for one in self.listed.get(member, ()):
            if one.state not in _WELL:
                yield Trouble("not-running", f"the cluster has it as {one.state}", log)
        if not self.leader:
            return
        if member == self.leader:
            if not status.primary:
                yield Trouble("not-primary", f"has the leader's lock and is a {status.role}", log)
            return
        if status.primary:
            yield Trouble(
                "second-primary",
                f"takes writes beside {self.leader}, which leads",
                "patronictl list; it has to become a replica before anything else",
            )
            return
        yield from self._behind(member, status)

    def _behind(self, member: str, status: Status) -> Iterator[Trouble]:
        """What speaks against a replica."""
        if self.head is None:
            what = f"nobody knows how far behind it is: {self.leader} does not answer"
            yield Trouble("lag-unknown", what, f"see why {self.leader} does not answer")
            return
        feeding = [
            name for name, s in self.answers.items() if s.status and member in s.status.feeds
        ]
        if not status.streams and not feeding:
            what = f"streams from none of the {len(self.answers)} members that answer"
            yield Trouble("not-streaming", what, "patronictl list, or patronictl reinit it")
        leads = self.head.timeline
        for timeline in (status.timeline, *(one.timeline for one in self.listed.get(member, ()))):
            if timeline != leads or timeline is None:
                what = f"is on timeline {_known(timeline)}, {self.leader} on {_known(leads)}"
                yield Trouble("other-timeline", what, "wait; patronictl reinit it if that stays")
        behind = self.behind(member)
        if behind is None or any(one.lag is None for one in self.listed.get(member, ())):
            what = "nobody knows how far behind it is"
            yield Trouble("lag-unknown", what, "wait until patronictl list shows its lag")
        elif self.late(member):
            what = f"is {behind:,} bytes behind, and {self.lag:,} are allowed"
            yield Trouble("lagging", what, "wait until it has caught up")

    def unfit(self, member: str) -> str:
        """Why it may not take over; "" where it may."""
        status, trouble = self.status(member), self.trouble(member)
        listed = self.listed.get(member, ())
        if trouble is not None or status is None:
            return trouble.what if trouble is not None else "does not answer"
        if status.nofailover or any(one.nofailover for one in listed):
            return "is tagged nofailover"
        if self.settings.synchronous and not all(one.synchronous for one in listed):
            return "is no synchronous standby"
        return ""

    def heirs(self, member: str, targets: Sequence[str]) -> list[str]:
        """Who may lead instead of it, the best first: those of ``targets``, then the others, and of
        each the one that has least to replay."""
        able = [one for one in self.listed if one != member and not self.unfit(one)]
        return sorted(able, key=lambda one: (one not in targets, self.behind(one) or 0))

    def group(self) -> Group:
        """All members; one leads."""
        needed = self.settings.standbys if self.settings.strict else 0
        positions = {name: self.status(name) for name in self.listed}
        return Group(
            id=self.scope,
            kind=Kind.PRIMARY,
            members=tuple(self.listed),
            leader=self.leader,
            in_sync=frozenset(one for one in self.listed if self.leader and not self.trouble(one)),
            minimum=1 + needed,
            position={
                name: status.location
                for name, status in positions.items()
                if status is not None and status.location is not None
            },
        )

    def members(self) -> tuple[Member, ...]:
        """All that are listed."""
        return tuple(self._member(name) for name in self.listed)

    def _member(self, name: str) -> Member:
        status, trouble = self.status(name), self.trouble(name)
        role = self.listed[name][0].role
        return Member(
            id=name,
            host=self.host(name),
            address=self.listed[name][0].url,
            role=f"{role}, pending restart" if status is not None and status.pending else role,
            version=status.version if status is not None else "",
            began=status.began if status is not None else "",
            trouble=trouble.what if trouble is not None else "",
        )


def _known(number: int | None) -> str:
    return "nobody knows which" if number is None else str(number)
