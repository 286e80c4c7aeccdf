"""A cluster of etcd as all hosts that were asked showed it, in one round. No side effects.

1. Members are those that any member lists; voters those that any of them takes for a voter. So a
   disagreement makes the majority larger, never smaller.
2. A leader is agreed upon when a majority of the voters names it in one term. Nobody is in sync
   without one.
3. In sync is a voter that answers, names that leader in that term, has no error and no alarm of its
   own, and has applied all but ``lag`` entries of ``mark``.
4. ``mark`` is the highest applied index of when the round began. Who is asked a moment later than
   another is not behind for that.
5. Where a member runs is what it answered where. One that does not answer is placed by the address
   that it is listed with, or as the only one that is left for the only host that is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.drivers.clusters.etcd_sight import Sight
from gapless.drivers.clusters.etcd_view import Listed, Status

GROUP = "raft"
"""The one group that a cluster of etcd has."""


@dataclass(frozen=True)
class Answer:
    """A member that answered: where, and what it said of itself."""

    sight: Sight
    status: Status


@dataclass(frozen=True)
class Round:
    """See above; ``sights`` has one for each host that was asked."""

    sights: tuple[Sight, ...]
    lag: int
    mark: int = 0

    @cached_property
    def everyone(self) -> tuple[Answer, ...]:
        """All answers: of other clusters, too, and one for each host that a member was asked on."""
        return tuple(Answer(s, s.status) for s in self.sights if s.status is not None)

    @cached_property
    def cluster(self) -> str:
        """The id of the cluster most answers are of."""
        return _most(answer.status.cluster for answer in self.everyone)

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """By id the members of the cluster that answered."""
        ours = (answer for answer in self.everyone if answer.status.cluster == self.cluster)
        return {answer.status.id: answer for answer in ours}

    @property
    def highest(self) -> int:
        """The highest index that any of them has applied: the mark of a round that begins."""
        return max((answer.status.applied for answer in self.answers.values()), default=0)

    @cached_property
    def lists(self) -> dict[str, frozenset[Listed]]:
        """By id of who told it the list of members."""
        return {
            member: frozenset(answer.sight.listed.values())
            for member, answer in self.answers.items()
            if answer.sight.listed is not None
        }

    @cached_property
    def listed(self) -> dict[str, Listed]:
        """By id all that anybody lists."""
        found: dict[str, Listed] = {}
        every = {one for listed in self.lists.values() for one in listed}
        for one in sorted(every, key=lambda one: (one.name, one.id, not one.learner)):
            found[one.id] = one
        return found

    @cached_property
    def voters(self) -> tuple[str, ...]:
        """Ids of those that make up the majority."""
        return tuple(one.id for one in self.listed.values() if not one.learner)

    @cached_property
    def agreed(self) -> tuple[str, int] | None:
        """The leader that a majority names, and the term in which it does."""
        named = Counter(
            (answer.status.leader, answer.status.term)
            for member, answer in self.answers.items()
            if member in self.voters and answer.status.leader
        )
        for agreed, count in named.most_common(1):
            if count >= majority(len(self.voters)):
                return agreed
        return None

    @property
    def leader(self) -> str:
        """The leader that is agreed upon, "" without one."""
        return self.agreed[0] if self.agreed else ""

    @cached_property
    def places(self) -> dict[str, str]:
        """By id the host that each member runs on, where that is known."""
        asked: dict[str, set[str]] = {}
        for answer in self.everyone:
            asked.setdefault(answer.status.id, set()).add(answer.sight.host)
        # Asked on two hosts, it is nobody's to say which of them it runs on.
        seen = {member: hosts.pop() for member, hosts in asked.items() if len(hosts) == 1}
        return seen | self._places_of_silent()

    def behind(self, member: str) -> int:
        """How many entries an answering member has still to apply."""
        return max(0, self.mark - self.answers[member].status.applied)

    def late(self, member: str) -> bool:
        """Whether that is more than it may be."""
        return self.behind(member) > self.lag

    def trouble(self, member: str) -> str:
        """Why it is not in sync; "" for one that is."""
        if member not in self.answers:
            started = member not in self.listed or self.listed[member].name
            return "does not answer" if started else "has never started"
        status = self.answers[member].status
        alarms = [alarm.kind for alarm in status.alarms if alarm.member == member]
        if status.errors or alarms:
            return f"reports {', '.join([*status.errors, *alarms])}"
        if not self.agreed:
            return "no majority names one leader"
        leader, term = self.agreed
        if (status.leader, status.term) != self.agreed:
            named = status.leader or "no leader"
            return f"names {named} in term {status.term}, most name {leader} in term {term}"
        return f"is {self.behind(member)} entries behind" if self.late(member) else ""

    def group(self) -> Group:
        """The voters."""
        return Group(
            id=GROUP,
            kind=Kind.QUORUM,
            members=self.voters,
            leader=self.leader,
            in_sync=frozenset(member for member in self.voters if not self.trouble(member)),
            minimum=majority(len(self.voters)),
            position={
                member: self.answers[member].status.applied
                for member in self.voters
                if member in self.answers
            },
        )

    def members(self) -> tuple[Member, ...]:
        """All that are listed."""
        return tuple(self._member(one) for one in self.listed.values())

    def _member(self, one: Listed) -> Member:
        answer = self.answers.get(one.id)
        return Member(
            id=one.id,
            host=self.places.get(one.id, ""),
            address=next(iter(one.urls), ""),
            role=self._role(one),
            version=answer.status.version if answer else "",
            began=answer.sight.began if answer else "",
            trouble=self.trouble(one.id),
        )

    def _role(self, one: Listed) -> str:
        if one.learner:
            return "learner"
        return "leader" if one.id == self.leader else "follower"

    def _places_of_silent(self) -> dict[str, str]:
        hosts = [sight for sight in self.sights if sight.status is None]
        silent = [one for one in self.listed.values() if one.id not in self.answers and one.name]
        found: dict[str, str] = {}
        for one in silent:
            at = set(filter(None, map(_place, one.urls)))
            there = [sight for sight in self.sights if _place(sight.url) in at]
            # An address that several hosts share, as 127.0.0.1, tells nothing.
            if len(there) == 1 and there[0] in hosts:
                found[one.id] = there[0].host
        hosts = [sight for sight in hosts if sight.host not in found.values()]
        silent = [one for one in silent if one.id not in found]
        if len(hosts) == len(silent) == 1:
            found[silent[0].id] = hosts[0].host
        return found


def _most(ids: Iterable[str]) -> str:
    return next((one for one, _ in Counter(ids).most_common(1)), "")


def _place(url: str) -> str:
    """Host and port; "" for what is no such address, as that of a socket in a folder."""
    parts = urlsplit(url)
    return parts.netloc if parts.scheme in ("http", "https") else ""
