"""Drivers of clusters that lie do not pass the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Moved, Rejoined
from gapless.errors import ClusterError
from gapless.model import Fence
from gapless.testing.cluster_suite import ClusterRig
from gapless.testing.fake_cluster import FakeCluster

from . import test_fake_cluster
from .test_fake_cluster import FakeRig, StayingRig, Stays

SECRET = "open-sesame"


class Believes(FakeCluster):
    """What it is told: it orders nothing, and says that it is done."""

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        led = (await self.topology()).led_by(member)
        return tuple(Moved(group.id, targets[0]) for group in led)


class Hopes(FakeCluster):
    """For the best."""

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        return Rejoined(done=True)


class Silent(Stays):
    """Of what it cannot move."""

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        return ()


class Moves(Stays):
    """What it says that nobody can."""

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        told = await super().evacuate(member, targets, within, fence)
        await FakeCluster.evacuate(self, member, targets, within, fence)
        return told


class Waits(Stays):
    """For a leader that nobody can move."""

    async def topology(self) -> Topology:
        return await FakeCluster.topology(self)


class Deaf(FakeCluster):
    """To fences."""

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        return await super().evacuate(member, targets, within, None)


class Blind(FakeCluster):
    """To who is down."""

    async def topology(self) -> Topology:
        seen = await super().topology()
        groups = {
            name: replace(group, in_sync=frozenset(group.members))
            for name, group in seen.groups.items()
        }
        members = {name: replace(one, trouble="") for name, one in seen.members.items()}
        return replace(seen, members=members, groups=groups, asked=tuple(members))


class Talks(FakeCluster):
    """Too much."""

    async def topology(self) -> Topology:
        raise ClusterError("it does not let us in", evidence=f"AUTH {SECRET}")


LIARS = [
    (Believes, "test_who_was_evacuated_leads_nothing_and_all_name_its_successors"),
    (Believes, "test_evacuating_and_restoring_twice_is_harmless"),
    (Believes, "test_a_move_that_cannot_happen_says_why_and_the_member_leads_on"),
    (Hopes, "test_the_process_from_before_is_not_back"),
    (Hopes, "test_a_member_is_back_when_it_has_caught_up_and_not_before"),
    (Hopes, "test_a_member_that_cannot_catch_up_is_not_back"),
    (Deaf, "test_an_old_fence_moves_nothing"),
    (Blind, "test_one_that_is_down_is_told_as_down_and_is_in_sync_nowhere"),
    (Talks, "test_what_it_tells_is_what_the_members_say"),
]


_STAYS = "test_what_cannot_be_moved_is_told_and_nothing_is_changed"
LIARS_ABOUT_WHAT_STAYS = [(Silent, _STAYS), (Moves, _STAYS), (Waits, _STAYS)]


@pytest.mark.parametrize(("liar", "case"), LIARS)
def test_a_liar_is_noticed(liar: type[FakeCluster], case: str) -> None:
    _noticed(FakeRig, liar, case)


@pytest.mark.parametrize(("liar", "case"), LIARS_ABOUT_WHAT_STAYS)
def test_a_liar_about_what_stays_is_noticed(liar: type[Stays], case: str) -> None:
    _noticed(StayingRig, liar, case)


def _noticed(kind: type[FakeRig], liar: type[FakeCluster], case: str) -> None:
    class Rig(kind):  # type: ignore[misc, valid-type]
        secrets = (SECRET,)

        def cluster(self) -> FakeCluster:
            return liar(self._members)

    @asynccontextmanager
    async def rig() -> AsyncIterator[Rig]:
        yield Rig()

    class Suite(test_fake_cluster.TestFakeCluster):
        def rig(self) -> AbstractAsyncContextManager[ClusterRig]:
            return rig()

    with pytest.raises(AssertionError) as caught:
        getattr(Suite(), case)()
    assert SECRET not in str(caught.value)
