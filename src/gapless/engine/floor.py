"""The floor: the least number of instances that must serve at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from gapless.errors import FloorBroken

_MEND = "mend what is broken first, or raise rollout.max_unavailable"
_NAMED = 20
"""Hosts that the next command names; of more, it asks all."""


class Floor:
    """Counts who serves. An instance asks before it is taken out and waits while others are out;
    broken and unreachable instances count as out for good. So do those that a person drained:
    whatever becomes of them, clients do not reach them. Of a ``cluster`` nobody is told to let more
    go: its data are not safe with fewer."""

    def __init__(
        self, service: str, hosts: Iterable[str], least: int, *, cluster: bool = False
    ) -> None:
        self.service = service
        self.hosts = frozenset(hosts)
        self.least = least
        self.cluster = cluster
        self.broken: set[str] = set()
        self.by_hand: dict[str, str] = {}
        """Those of the broken that a person drained: by whom, and why."""
        self.out: set[str] = set()
        self._changed = asyncio.Condition()

    @property
    def serving(self) -> int:
        """Instances that serve now, as far as is known."""
        return len(self.hosts - self.broken - self.out)

    async def leave(self, host: str) -> None:
        """Take ``host`` out as soon as enough others serve; raises FloorBroken when they never
        will."""
        async with self._changed:
            while not self._allows(host):
                if not self.out:
                    raise self.refusal(host)
                await self._changed.wait()
            self.out.add(host)

    def _allows(self, host: str) -> bool:
        # a broken instance serves nobody: repairing it costs nothing
        return host in self.broken or host in self.out or self.serving - 1 >= self.least

    def drained_by_hand(self, host: str, who: str) -> None:
        """It is none of those that serve, however fit it is; ``who`` drained it, and why."""
        self.by_hand[host] = who
        self.broken.add(host)

    def without(self, hosts: Iterable[str]) -> Floor:
        """The same as it would be with these out, too."""
        floor = Floor(self.service, self.hosts, self.least, cluster=self.cluster)
        floor.broken |= self.broken
        floor.by_hand |= self.by_hand
        floor.out |= {*self.out, *hosts}
        return floor

    def refusal(self, host: str) -> FloorBroken:
        """Why ``host`` may not go out."""
        out = ", ".join(sorted(self.out - self.broken))
        drained = "; ".join(f"{name} ({self.by_hand[name]})" for name in sorted(self.by_hand))
        broken = ", ".join(sorted(self.broken.difference(self.by_hand)))
        lines = (
            drained and f"drained by hand: {drained}",
            f"broken or unreachable: {broken or 'none'}" if broken or not drained else "",
            out and f"out before it: {out}",
        )
        return FloorBroken(
            f"taking {host} out would leave {self.serving - 1} of {len(self.hosts)} instances of"
            f" {self.service}; the floor is {self.least}",
            where=f"{self.service}@{host}",
            evidence="\n".join(filter(None, lines)),
            next=self._next(host),
        )

    def _next(self, leaving: str) -> str:
        """What makes room: letting in what a person drained, mending what is broken."""
        drained = sorted(host for host in self.by_hand if host != leaving)
        admit = f"gapless admit {' '.join(f'{self.service}@{host}' for host in drained)}"
        broken = sorted(self.broken.difference(self.by_hand))
        mend = self._repair(broken) if self.cluster and broken else _MEND
        if not drained:
            return mend
        return f"{admit}; {mend}" if broken else admit

    def _repair(self, broken: Sequence[str]) -> str:
        """What to do about members of a cluster, and the command that shows what they are."""
        first = broken[0] if len(broken) == 1 else "what is broken"
        only = f" --hosts {','.join(broken)}" if len(broken) <= _NAMED else ""
        what = "it" if len(broken) == 1 else "each"
        return f"repair {first} first: gapless doctor{only} shows what is wrong with {what}"

    async def back(self, host: str, *, serves: bool) -> None:
        """``host`` is done: it serves again, or it is broken."""
        async with self._changed:
            self.out.discard(host)
            if serves and host not in self.by_hand:
                self.broken.discard(host)
            else:
                self.broken.add(host)
            self._changed.notify_all()
