"""A pool in etcd as one host sees it, and what the load balancer there makes of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection

from gapless.clock import Clock
from gapless.config.balancer_etcd import EtcdConfig
from gapless.drivers.balancers.base import MemberState
from gapless.drivers.balancers.conftool_pool import POOLED, Entry, Pool
from gapless.drivers.balancers.etcd_keys import EtcdKeys
from gapless.drivers.balancers.etcd_sight import absent, out, sight
from gapless.drivers.balancers.etcd_verify import Standing, Verification
from gapless.drivers.balancers.node_host import NodeHost
from gapless.drivers.balancers.settling import Settling
from gapless.drivers.balancers.sight import NoAnswer, Sight, examined, together
from gapless.drivers.fill import fill, own_name
from gapless.drivers.transports.base import Transport
from gapless.errors import FloorBroken, TrafficError
from gapless.model import Fence, Instance, Verdict

_TRIES = 50
"""How often a change is made anew because somebody else's came first."""


class EtcdNode:
    """Reads and changes the entry of an instance. Nobody's change is overwritten."""

    def __init__(
        self,
        balancer: str,
        host: str,
        config: EtcdConfig,
        transport: Callable[[], Transport],
        clock: Clock,
        *,
        address: Callable[[str], str] = own_name,
    ) -> None:
        self._host = NodeHost(balancer, host, transport)
        self._config = config
        self._keys = EtcdKeys(self._host, config)
        self._verify = (
            Verification(self._host, config, config.verify, address) if config.verify else None
        )
        self._expected: set[Instance] = set()
        self._settling = Settling(clock, config.settle)
        self._address = address

    @property
    def label(self) -> str:
        """Name of the node for people."""
        return self._host.label

    async def see(self, instance: Instance) -> Sight:
        """What is wanted of the instance and, where it can be asked, what holds."""
        folder, name = self._place(instance)
        pool = await self._keys.folder(folder)
        entry = pool.entries.get(name)
        if entry is None:
            return self._missing(folder, name, pool)
        if not entry.readable:
            raise self._unreadable(folder, entry)
        stands = await self._verify.ask(instance) if self._verify else None
        if stands is None or stands.state is not MemberState.MISSING:
            self._expected.discard(instance)
        elif not entry.out and instance not in self._expected:
            return self._unknown(entry, stands)
        gone = entry.revision if out(entry, stands) else None
        settled = self._settling.over(instance, gone)
        return sight(self.label, entry, stands, settled=settled, others=pool.others(name))

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of them are wanted in traffic and, where it can be asked, up."""
        pools: dict[str, Pool] = {}
        wanted: list[Instance] = []
        for instance in instances:
            folder, name = self._place(instance)
            if folder not in pools:
                pools[folder] = await self._keys.folder(folder)
            entry = pools[folder].entries.get(name)
            if entry is not None and entry.pooled:
                wanted.append(instance)
        if self._verify is None:
            return len(wanted)
        return sum(await together(self._up(self._verify, instance) for instance in wanted))

    async def _up(self, verify: Verification, instance: Instance) -> bool:
        """Whether the load balancer reports it up; what cannot be understood is not up, silence is
        an error."""
        try:
            return (await verify.ask(instance)).state is MemberState.UP
        except NoAnswer:
            raise
        except TrafficError:
            return False

    async def examine(self, instances: Collection[Instance]) -> tuple[Verdict, ...]:
        """Whether etcd answers, the keys are there, and the load balancer knows the instances."""
        return tuple(await together(self._examined(instance) for instance in instances))

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Depooled, unless that would leave too few in the pool. Raises FloorBroken."""
        stands = await self._verify.ask(instance) if self._verify else None
        costs = stands is None or stands.state is not MemberState.DOWN or bool(stands.traffic)
        depooled = self._config.depooled
        await self._rewrite(instance, lambda entry: entry.told(depooled), fence, guarded=costs)

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Pooled. A load balancer that did not know it gets the time to learn of it."""
        self._expected.add(instance)
        await self._rewrite(instance, lambda entry: entry.told(POOLED), fence, guarded=False)

    async def weigh(self, instance: Instance, weight: int, fence: Fence | None) -> None:
        """This weight; none at all is as good as depooled."""
        await self._rewrite(
            instance, lambda entry: entry.weighing(weight), fence, guarded=weight == 0
        )

    async def _rewrite(
        self,
        instance: Instance,
        text: Callable[[Entry], str],
        fence: Fence | None,
        *,
        guarded: bool,
    ) -> None:
        """The entry as ``text`` has it. ``guarded``: it takes something away from the pool."""
        folder, name = self._place(instance)
        for _ in range(_TRIES):
            pool = await self._keys.folder(folder)
            entry = pool.entries.get(name)
            if entry is None:
                return  # the next look says so
            if not entry.readable:
                raise self._unreadable(folder, entry)
            wanted = text(entry)
            if wanted == entry.text:
                return
            if guarded:
                self._hold_threshold(instance, pool, name)
            unchanged = pool.revision if guarded else None
            if await self._keys.change(folder, entry, wanted, fence, unchanged):
                return
        raise TrafficError(
            f"{folder}{name} changes all the time",
            where=self._host.balancer,
            evidence=f"{_TRIES} changes of others came before ours",
            next=f"see who writes it: etcdctl watch --prefix {folder}",
        )

    def _hold_threshold(self, instance: Instance, pool: Pool, name: str) -> None:
        """Below its threshold PyBal takes out nobody: what is down or depooled stays pooled."""
        left, least = pool.others(name), pool.least(self._config.depool_threshold)
        if pool.entries[name].pooled and left < least:
            raise FloorBroken(
                f"without {instance} only {left} of {pool.size} would be pooled"
                f" (depool_threshold {self._config.depool_threshold}: {least})",
                where=f"{self._host.balancer} on {self.label}",
                evidence="\n".join(map(str, pool.entries.values())),
                next="pool others first; or look whether depool_threshold is the balancer's own",
            )

    def _place(self, instance: Instance) -> tuple[str, str]:
        """Folder, with the slash at its end, and name in it."""
        folder, _, name = self._config.key.rpartition("/")
        return (
            f"{fill(folder, instance, self._address)}/",
            fill(name, instance, self._address),
        )

    async def _examined(self, instance: Instance) -> Verdict:
        asked = "".join(self._place(instance))
        try:
            sight = await self.see(instance)
        except TrafficError as error:
            return examined(asked, "", error)
        return examined(asked, sight.member.raw, sight.trouble)

    def _missing(self, folder: str, name: str, pool: Pool) -> Sight:
        near = difflib.get_close_matches(name, pool.entries, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        known = ", ".join(pool.entries) or "none"
        trouble = TrafficError(
            f"etcd has no key {folder}{name}",
            where=self._host.balancer,
            evidence=f"keys there: {known}",
            next=f"{hint}set 'key' of the balancer in gapless.yaml",
        )
        return absent(self.label, name, f"not in {known}", trouble)

    def _unknown(self, entry: Entry, stands: Standing) -> Sight:
        trouble = TrafficError(
            f"the load balancer on {self.label} does not know {entry.name}",
            where=self._host.balancer,
            evidence=f"{entry}; it says {stands.raw}",
            next="compare 'verify' of the balancer in gapless.yaml with its pools",
        )
        return absent(self.label, entry.name, f"{entry}, {stands.raw}", trouble)

    def _unreadable(self, folder: str, entry: Entry) -> TrafficError:
        return TrafficError(
            f"{folder}{entry.name} holds nonsense",
            where=self._host.balancer,
            evidence=entry.text[:500] or "(empty)",
            next='it has to be {"pooled": "yes" (or "no", "inactive"), "weight": 10}',
        )
