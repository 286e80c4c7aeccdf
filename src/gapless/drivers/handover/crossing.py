"""The sequence of handover/1, as one copy after the other is started, let in, taken out and ended.

1. Before a copy is started (``add``): the lock is on in the one that serves, and the skew is over;
   ``state.json`` knows the new one, and its variables lie where its start finds them. Where nobody
   lives the new one is the active one. Where the other lives and handles nothing, both become
   active with the lock on, whichever is ready first.
2. It is let in (``admit``): all of its units are ready and stay so; it is activated; both handle
   events, and the new one is judged by what it says of itself. What the lock of the other leaves
   without an answer, from the moment on when it was turned on, ends it as well.
3. The other is taken out (``drain``), only when the one that stays is ACTIVE: disarmed,
   deactivated, waited for until it is gone, or for its deadline. Then the one that stays is the
   active one.
4. When it has ended (``remove``): the skew is waited for, and the lock is off, where it is for the
   window.
5. Every order is given again without harm: it begins with what the copies say they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gapless.config.quantities import format_duration
from gapless.drivers.balancers.base import Drained, Evidence
from gapless.drivers.handover.folder import POLL, Seen, SharedFolder, guard, place
from gapless.drivers.handover.judging import at_lock_on, lock_trouble, objection
from gapless.drivers.handover.orders import Reply
from gapless.drivers.handover.variables import variables
from gapless.drivers.handover.view import Copy, State, name_of, slot_of
from gapless.drivers.runtimes.paired import beside
from gapless.errors import TrafficError
from gapless.model import Fence, Instance

_WAITS = (State.BOOTING, State.STANDBY)
_GONE = 15.0
"""Seconds within which the supervisor of a copy that died has started it again."""
_ANSWER = 15.0
"""Seconds within which a copy that lives has answered, however busy its host is."""
_GRACE = 5.0
"""Seconds on top of a deadline, for the end of the process."""


class Crossing:
    """From one copy to the other, in either direction."""

    def __init__(self, folder: SharedFolder) -> None:
        self._folder = folder
        self._config = folder.config
        self._clock = folder.clock

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> Seen:
        """Steps 1 and 2, up to the start; how it was before."""
        copy = self._folder.copy(instance.host, instance.slot)
        transport = self._folder.transport(instance.host)
        owner = self._config.user or await copy.account(transport)
        await self._folder.orders.make(instance, guard(fences), owner)
        seen = await self._folder.see(instance)
        await self._refuse_two(instance, seen)
        epoch = seen.sight.highest + 1
        mine = (name_of(self._folder.service, instance.slot, epoch), epoch)
        role = "standby" if seen.other else "active"
        other = seen.other
        if other is None:
            always = self._config.when == "always"
            await self._folder.write(
                instance, fences, seen, phase="done", active=mine, next=None, latest=epoch,
                lock=always, lock_on=None,
            )  # fmt: skip
        elif other.state is State.ACTIVE:
            seen = await self._lock_on(instance, fences, seen, other, epoch)
            await self._folder.write(instance, fences, seen, phase="standby", next=mine)
        else:
            await self._both(instance, fences, seen, other, mine)
        given = variables(
            self._config, *mine, role, self._folder.path(instance.host), self._clock.now()
        )
        commands = await copy.prepare(transport, given)
        await self._folder.orders.act(instance, guard(fences), "prepare", commands)
        return seen

    async def _refuse_two(self, instance: Instance, seen: Seen) -> None:
        """A copy that runs and does not speak cannot be told of the lock."""
        slot = beside(instance.slot)
        if seen.other is None and await self._folder.runs(instance.host, slot):
            what = f"copy {slot} runs and does not answer: there would be two without a lock"
            raise self._folder.failure(what, instance, seen)

    async def _lock_on(
        self, instance: Instance, fences: Sequence[Fence], seen: Seen, old: Copy, epoch: int
    ) -> Seen:
        after, reply = await self._folder.write(
            instance, fences, seen, to=old, request="/lock?on=true&",
            phase="done", active=place(old), next=None, latest=epoch, lock=True,
            lock_on=at_lock_on(seen, old),
        )  # fmt: skip
        self._insist(reply, f"{old.id} does not turn its event lock on", instance, seen)
        await self._clock.sleep(self._config.skew)
        return after

    async def _both(
        self,
        instance: Instance,
        fences: Sequence[Fence],
        seen: Seen,
        other: Copy,
        mine: tuple[str, int],
    ) -> None:
        """The other lives and handles nothing: it may never be ready, and may hold the active
        lock. So the new one is told to be active beside it."""
        locked = seen.written.lock and seen.sight.written is not None
        _, reply = await self._folder.write(
            instance, fences, seen, to=other, request="/lock?on=true&",
            phase="joint", active=place(other), next=mine, latest=mine[1], lock=True,
        )  # fmt: skip
        if not locked:  # else it has it on since its start
            self._insist(reply, f"{other.id} does not turn its event lock on", instance, seen)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> Seen:
        """Steps 3 to 5, and how it is then. To a copy that serves and stays nothing is done."""
        seen = await self._until_ready(instance)
        assert seen.me is not None
        mine = place(seen.me)
        if seen.other is None or (seen.written.active == mine and seen.me.state is State.ACTIVE):
            return await self._until_active(instance)
        _, reply = await self._folder.write(
            instance, fences, seen, to=seen.me, request="/activate?",
            phase="joint", active=place(seen.other), next=mine,
        )  # fmt: skip
        self._insist(reply, f"{seen.me.id} does not become active", instance, seen)
        await self._clock.sleep(self._config.together)
        after = await self._until_active(instance)
        why = objection(seen, after)
        if why:
            raise self._folder.failure(f"in the joint phase {why}", instance, after)
        return after

    async def _until_ready(self, instance: Instance) -> Seen:
        """Ready for as long as it has to be, without a break."""
        since: float | None = None
        there = self._clock.monotonic()
        deadline = there + self._config.ready
        while True:
            seen = await self._folder.see(instance)
            now = self._clock.monotonic()
            ready = seen.me is not None and seen.me.ready and seen.me.state is not State.BOOTING
            since = (since if since is not None else now) if ready else None
            if trouble := lock_trouble(seen):
                raise self._folder.failure(trouble, instance, seen)
            if since is not None and now - since >= self._config.stable:
                return seen
            there = now if seen.me is not None else there
            if now - there >= _GONE:
                what = f"copy {instance.slot} is gone: nobody answers for it"
                raise self._folder.failure(what, instance, seen)
            if now >= deadline and since is None:
                is_not = "is not ready" if seen.me is not None else "does not answer"
                limit = format_duration(self._config.ready)
                what = f"{_called(seen.me, instance)} {is_not} after {limit}"
                raise self._folder.failure(what, instance, seen)
            await self._clock.sleep(POLL)

    async def _until_active(self, instance: Instance) -> Seen:
        """The other is dead, or it was told: that takes no time worth a key."""
        return await self._until(
            instance,
            lambda seen: seen.me is not None and seen.me.state is State.ACTIVE,
            _ANSWER,
            "does not become active",
        )

    async def _until_answered(
        self, instance: Instance, whom: Callable[[Seen], Copy | None]
    ) -> Seen:
        """A busy host may keep a copy from answering; one that is hung never does."""
        deadline = self._clock.monotonic() + _ANSWER
        while True:
            seen = await self._folder.see(instance)
            asked = whom(seen)
            silent = asked is not None and asked.state is State.SILENT
            if not silent or self._clock.monotonic() >= deadline:
                return seen
            await self._clock.sleep(POLL)

    async def _until(
        self, instance: Instance, met: Callable[[Seen], bool], limit: float, what: str
    ) -> Seen:
        deadline = self._clock.monotonic() + limit
        while True:
            seen = await self._folder.see(instance)
            if met(seen):
                return seen
            if self._clock.monotonic() >= deadline:
                called = _called(seen.me, instance)
                raise self._folder.failure(f"{called} {what}", instance, seen)
            await self._clock.sleep(POLL)

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Steps 6 and 7."""
        began = self._clock.monotonic()
        seen = await self._until_answered(instance, lambda seen: seen.other)
        left, note = 0, ""
        if seen.me is None and (how := await self._folder.death(instance.host, instance.slot)):
            note = f"copy {instance.slot} had died: {how}"
        if seen.me is not None and seen.me.state not in _WAITS:
            if seen.other is None or seen.other.state is not State.ACTIVE:
                what = f"{seen.me.id} is not deactivated: no other copy is active"
                raise self._folder.failure(what, instance, seen)
            left = await self._deactivate(instance, fences, seen, seen.me, seen.other)
            seen = await self._folder.see(instance)
        if seen.other is not None:
            await self._folder.write(
                instance, fences, seen, phase="draining", active=place(seen.other), next=None
            )
        evidence = Evidence.TIMED if left or note else Evidence.COUNTED
        return Drained(evidence, self._clock.monotonic() - began, left, note=note)

    async def _deactivate(
        self, instance: Instance, fences: Sequence[Fence], seen: Seen, me: Copy, other: Copy
    ) -> int:
        """What it left unfinished: what it had in work, 1 when it does not say."""
        transport = self._folder.transport(instance.host)
        disarming = await self._folder.copy(instance.host, instance.slot).disarm(transport)
        await self._folder.orders.act(instance, guard(fences), "disarm", disarming)
        deadline = round(self._config.deadline * 1000)
        # in the joint phase either may be told: what stands there names both
        joint = {"active": seen.written.active or place(me), "next": seen.written.next}
        began = self._clock.monotonic()
        await self._folder.write(
            instance, fences, seen, to=me, request=f"/deactivate?deadline={deadline}&",
            phase="joint", lock=True, **joint,
        )  # fmt: skip
        return await self._left(instance, me, began)

    async def _left(self, instance: Instance, me: Copy, began: float) -> int:
        """When it is gone, or should be. It ends by itself at its deadline, too: only one that
        ended well before that has finished what it was last seen with. When the deadline of one
        that drained already was, nobody knows."""
        due = began + self._config.deadline
        last = me
        while (now := await self._folder.see(instance)).me is not None:
            last = now.me if now.me.state is not State.SILENT else last
            if self._clock.monotonic() >= due + _GRACE:
                return max(1, last.left)
            await self._clock.sleep(POLL)
        left = last.left if last.state is not State.SILENT else 1
        cut_off = me.state is State.DRAINING or self._clock.monotonic() >= due
        if left and not cut_off:
            cut_off = not await self._ended_well(instance)
        return left if cut_off else 0

    async def _ended_well(self, instance: Instance) -> bool:
        """By itself, and nobody killed it. Who started it hears of its end a moment later."""
        deadline = self._clock.monotonic() + _GRACE
        while await self._folder.runs(instance.host, instance.slot):
            if self._clock.monotonic() >= deadline:
                return False
            await self._clock.sleep(POLL)
        return await self._folder.ended_well(instance.host, instance.slot)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """Step 8; what still waits to be started anew is left for that."""
        seen = await self._folder.see(instance)
        if seen.me is not None and seen.me.state in _WAITS:
            return
        if seen.me is not None:
            seen = await self._until(
                instance, lambda now: now.me is None, _GRACE, "was ended and lives"
            )
        stays = _stays(seen, instance)
        always = self._config.when == "always"
        if stays is None:
            await self._nobody(instance, fences, seen)
            return
        await self._folder.write(
            instance, fences, seen, phase="draining", active=stays, next=None, lock=True
        )
        await self._clock.sleep(self._config.skew)
        seen = await self._folder.see(instance)
        turned = {} if always or seen.other is None else {"to": seen.other}
        request = "/lock?on=false&" if turned else ""
        await self._folder.write(
            instance, fences, seen, request=request, phase="done", lock=always, lock_on=None,
            **turned,
        )  # fmt: skip
        await self._folder.orders.tidy(instance, guard(fences), (stays[0],))

    async def _nobody(self, instance: Instance, fences: Sequence[Fence], seen: Seen) -> None:
        """It was the only copy, and is gone for good."""
        await self._folder.write(
            instance, fences, seen, phase="done", active=None, next=None, lock_on=None
        )
        transport = self._folder.transport(instance.host)
        forgetting = await self._folder.copy(instance.host, instance.slot).forget(transport)
        await self._folder.orders.act(instance, guard(fences), "forget", forgetting)

    async def recall(self, instance: Instance, fences: Sequence[Fence]) -> bool:
        """Whether a copy goes on, though it may have been told to end. One that says nothing is
        waited for as long as an answer may take, and one that ends all the same not at all."""
        seen = await self._until_answered(instance, lambda seen: seen.me)
        if seen.me is None or seen.me.state is State.SILENT:
            return False
        if seen.me.state is State.DRAINING:
            request = f"/abort?epoch={seen.written.latest}"
            fence = guard(fences)
            reply = await self._folder.orders.say(instance, fence, seen.me.id, request)
            if not reply.ok:
                return False
        rearming = await self._folder.copy(instance.host, instance.slot).rearm(
            self._folder.transport(instance.host)
        )
        await self._folder.orders.act(instance, guard(fences), "rearm", rearming)
        return True

    def _insist(self, reply: Reply | None, what: str, instance: Instance, seen: Seen) -> None:
        if reply is not None and not reply.ok:
            error: TrafficError = self._folder.failure(f"{what}: {reply}", instance, seen)
            raise error


def _called(me: Copy | None, instance: Instance) -> str:
    return me.id if me is not None else f"copy {instance.slot}"


def _stays(seen: Seen, instance: Instance) -> tuple[str, int] | None:
    """The other copy; one that is just being started again is known from what is written."""
    if seen.other is not None:
        return place(seen.other)
    known = (seen.written.active, seen.written.next)
    return next((one for one in known if one and slot_of(one[0]) == beside(instance.slot)), None)
