"""The transport suite: claims, fences, memory, sessions."""

from __future__ import annotations

import asyncio

import pytest

from gapless.drivers.transports.base import Transport
from gapless.errors import FenceRefused, LostContact
from gapless.model import Fence
from gapless.testing.transport_rig import TransportCases, claim_of, fence_of, until


class StateCases(TransportCases):
    """Promises of ``claim``, ``release``, ``holder``, ``recall``, ``remember`` and sessions."""

    def test_nobody_holds_a_fresh_service(self) -> None:
        """holder() of what was never claimed."""

        async def case(host: Transport) -> None:
            held = await host.holder("shop.api")
            assert (held.fence, held.holder, held.live) == (None, None, False)

        self.check(case)

    def test_the_holder_is_named_with_all_it_said(self) -> None:
        """Who, from where, why."""

        async def case(first: Transport, second: Transport) -> None:
            fence = fence_of(await first.claim(claim_of("r1")))
            held = await second.holder("shop.api")
            assert held.fence == fence
            assert held.holder == claim_of("r1")
            assert held.live

        self.check_two(case)

    def test_another_rollout_is_refused_and_told_who_holds_it(self) -> None:
        """Refused, not raised."""

        async def case(first: Transport, second: Transport) -> None:
            await first.claim(claim_of("r1"))
            refused = await second.claim(claim_of("r2"))
            assert refused.fence is None
            assert refused.holder == claim_of("r1")
            assert refused.live

        self.check_two(case)

    def test_a_dead_session_still_holds_but_is_not_live(self) -> None:
        """Only a take-over breaks it."""

        async def case(first: Transport, second: Transport) -> None:
            fence = fence_of(await first.claim(claim_of("r1")))
            await first.close()

            async def is_dead() -> bool:
                return not (await second.holder("shop.api")).live

            await until(is_dead)
            refused = await second.claim(claim_of("r2"))
            assert (refused.fence, refused.live) == (None, False)
            taken = fence_of(await second.claim(claim_of("r2"), take_over=True))
            assert taken.number > fence.number

        self.check_two(case)

    def test_a_claim_is_taken_over_only_from_the_rollout_that_was_meant(self) -> None:
        """Whoever came in between keeps it."""

        async def case(first: Transport, second: Transport) -> None:
            old = fence_of(await first.claim(claim_of("r1")))
            refused = await second.claim(claim_of("r3"), over="r2")
            assert (refused.fence, refused.holder) == (None, claim_of("r1"))
            taken = fence_of(await second.claim(claim_of("r3"), over="r1"))
            assert taken.number > old.number
            with pytest.raises(FenceRefused):
                await first.remember(old, {"a": 1})

        self.check_two(case)

    def test_the_same_rollout_gets_a_higher_fence(self) -> None:
        """Its own zombie is shut out."""

        async def case(zombie: Transport, living: Transport) -> None:
            old = fence_of(await zombie.claim(claim_of("r1")))
            new = fence_of(await living.claim(claim_of("r1")))
            assert new.number > old.number
            with pytest.raises(FenceRefused):
                await zombie.remember(old, {"a": 1})

        self.check_two(case)

    def test_what_is_given_back_can_be_claimed(self) -> None:
        """Numbers go on rising."""

        async def case(first: Transport, second: Transport) -> None:
            old = fence_of(await first.claim(claim_of("r1")))
            await first.release(old)
            assert (await second.holder("shop.api")).holder is None
            assert fence_of(await second.claim(claim_of("r2"))).number > old.number

        self.check_two(case)

    def test_an_old_fence_gives_nothing_back(self) -> None:
        """release() of a zombie is a no-op."""

        async def case(zombie: Transport, living: Transport) -> None:
            old = fence_of(await zombie.claim(claim_of("r1")))
            new = fence_of(await living.claim(claim_of("r1")))
            await zombie.release(old)
            assert (await living.holder("shop.api")).fence == new

        self.check_two(case)

    def test_a_fence_given_back_opens_nothing(self) -> None:
        """A finished rollout cannot act any more."""

        async def case(host: Transport) -> None:
            fence = fence_of(await host.claim(claim_of("r1")))
            await host.release(fence)
            with pytest.raises(FenceRefused):
                await host.remember(fence, {"a": 1})

        self.check(case)

    def test_services_are_claimed_apart(self) -> None:
        """Whatever their names are."""

        async def case(host: Transport) -> None:
            for name in ("a/b", "..", "ü", "a b"):
                assert fence_of(await host.claim(claim_of("r1", name))).service == name
            assert (await host.holder("a")).holder is None

        self.check(case)

    def test_memory_is_merged_and_outlives_the_session(self) -> None:
        """recall() after remember()."""

        async def case(first: Transport, second: Transport) -> None:
            assert await first.recall("shop.api") == {}
            fence = fence_of(await first.claim(claim_of("r1")))
            await first.remember(fence, {"release": "1", "deep": {"list": [1, None]}})
            await first.remember(fence, {"release": "2"})
            await first.close()
            assert await second.recall("shop.api") == {
                "release": "2",
                "deep": {"list": [1, None]},
            }

        self.check_two(case)

    def test_a_fact_that_is_none_is_forgotten(self) -> None:
        """Whoever recalls it finds no null."""

        async def case(host: Transport) -> None:
            fence = fence_of(await host.claim(claim_of("r1")))
            await host.remember(fence, {"release": "1", "last_good": {"at": 1}})
            await host.remember(fence, {"last_good": None, "never": None})
            assert await host.recall("shop.api") == {"release": "1"}

        self.check(case)

    def test_a_strangers_fence_is_refused(self) -> None:
        """While somebody holds the service."""

        async def case(host: Transport) -> None:
            fence = fence_of(await host.claim(claim_of("r1")))
            with pytest.raises(FenceRefused):
                await host.remember(Fence("shop.api", "r2", fence.number + 1), {"a": 1})

        self.check(case)

    def test_without_a_connection_there_is_no_contact(self) -> None:
        """After close() every verb says so, and connect() makes it work again."""

        async def case(host: Transport) -> None:
            await host.close()
            with pytest.raises(LostContact):
                await host.holder("shop.api")
            await host.connect()
            await host.connect()
            assert (await host.holder("shop.api")).holder is None

        self.check(case)

    def test_facts_asked_for_at_the_same_time_are_the_same(self) -> None:
        """The trial that the state can be written is each asker's own."""

        async def case(host: Transport) -> None:
            told = await asyncio.gather(*(host.facts([self.folder]) for _ in range(20)))
            assert not [facts.problems for facts in told if facts.problems]

        self.check(case)

    def test_facts_tell_the_time_and_the_space(self) -> None:
        """Also for a folder that is still to be made."""

        async def case(host: Transport) -> None:
            facts = await host.facts([self.folder, self.folder + "/still/to/be/made"])
            assert facts.clock >= facts.booted > 0
            assert facts.user
            assert len(facts.disk_free) == 2
            assert min(facts.disk_free.values()) > 0

        self.check(case)
