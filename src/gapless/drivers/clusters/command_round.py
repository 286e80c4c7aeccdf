"""A cluster as the commands on all hosts showed it, in one round. No side effects.

1. Members are all that anybody knows, groups all that anybody tells; the members of a group are
   those that any view of it has, and its minimum is the largest that one tells.
2. It is led by whom all views of it name. Where they do not name the same one nobody leads it, and
   that is a finding.
3. In sync are those that every view of the group calls so, that answer and are well, and that are
   not further behind than ``lag`` by position. One that lies can only make it look worse, unless
   all do.
4. A member of a group that does not tell of it does not agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gapless.clusters.group import Group
from gapless.clusters.member import Member
from gapless.clusters.order import natural
from gapless.drivers.clusters.command_sight import Sight
from gapless.drivers.clusters.command_view import View


@dataclass(frozen=True)
class Round:
    """See above. ``places``: by id the host of each member, as far as that is known; ``movable``:
    whether there is a command for transfer."""

    sights: tuple[Sight, ...]
    lag: int
    places: Mapping[str, str] = field(default_factory=dict)
    movable: bool = True

    @cached_property
    def everyone(self) -> tuple[tuple[str, View], ...]:
        """All answers with their hosts."""
        return tuple((one.host, one.view) for one in self.sights if one.view is not None)

    @cached_property
    def views(self) -> dict[str, View]:
        """By id what each member tells."""
        return {view.id: view for _, view in self.everyone}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All members."""
        return tuple(
            sorted({one for view in self.views.values() for one in view.members}, key=natural)
        )

    @cached_property
    def told(self) -> dict[str, dict[str, Group]]:
        """By group how each member that knows it has it."""
        found: dict[str, dict[str, Group]] = {}
        for name, view in self.views.items():
            for group in view.groups.values():
                found.setdefault(group.id, {})[name] = group
        return found

    def leader(self, group: str) -> str:
        """Whom all name; "" where they do not, or nobody knows the group."""
        named = {one.leader for one in self.told.get(group, {}).values()}
        return named.pop() if len(named) == 1 else ""

    def answers(self, member: str) -> bool:
        """Whether it tells anything itself."""
        return member in self.views

    def trouble(self, name: str) -> str:
        """Why a member is not well; "" for one that is."""
        view = self.views.get(name)
        if view is None:
            sight = self.sight_of(name)
            return f"does not answer: {sight.why}" if sight else "none of our hosts runs it"
        if view.own.trouble:
            return view.own.trouble
        return next(
            (
                f"{other} says of it: {one.members[name].trouble}"
                for other, one in self.views.items()
                if name in one.members and one.members[name].trouble
            ),
            "",
        )

    def sight_of(self, name: str) -> Sight | None:
        """Of the host that it runs on."""
        return next((one for one in self.sights if one.host == self.places.get(name)), None)

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(self._member(name) for name in self.names)

    def groups(self) -> dict[str, Group]:
        """All of them."""
        return {name: self._group(name) for name in sorted(self.told, key=natural)}

    def singletons(self) -> dict[str, str]:
        """Roles that all who know them give to one."""
        roles = {role for view in self.views.values() for role in view.singletons}
        found = {role: {one.singletons.get(role) for one in self.views.values()} for role in roles}
        return {role: next(iter(who)) or "" for role, who in found.items() if len(who) == 1}

    def _member(self, name: str) -> Member:
        view = self.views.get(name)
        known = view.own if view else Member(name)
        return Member(
            id=name,
            host=self.places.get(name, ""),
            address=known.address,
            zone=known.zone,
            role=known.role,
            version=known.version,
            began=known.began,
            trouble=self.trouble(name),
        )

    def _group(self, name: str) -> Group:
        told = tuple(self.told[name].values())
        position: dict[str, int] = {}
        preferred = {one.preferred for one in told}
        for one in told:
            for member, place in one.position.items():
                position[member] = max(place, position.get(member, 0))
        return Group(
            id=name,
            kind=told[0].kind,
            members=tuple(dict.fromkeys(member for one in told for member in one.members)),
            leader=self.leader(name),
            in_sync=self._in_sync(told, position),
            minimum=max(one.minimum for one in told),
            position=position,
            movable=self.movable and all(one.movable for one in told),
            led=any(one.led for one in told),
            preferred=preferred.pop() if len(preferred) == 1 else "",
        )

    def _in_sync(self, told: tuple[Group, ...], position: Mapping[str, int]) -> frozenset[str]:
        furthest = max(position.values(), default=0)
        return frozenset(
            member
            for member in frozenset.intersection(*(one.in_sync for one in told))
            if not self.trouble(member) and self._near(position, member, furthest)
        )

    def _near(self, position: Mapping[str, int], member: str, furthest: int) -> bool:
        return not position or position.get(member, 0) >= furthest - self.lag
