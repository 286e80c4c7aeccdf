"""The shop with two slots for each instance: ``api@a`` runs, ``api@b`` is free."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.model import Instance
from gapless.supervisor.spec import SLOTS
from gapless.testing.fake_traffic import Traffic
from gapless.testing.fake_unit import Behaviour, FakeUnit
from tests.simulation.faults.shop import CONFIG, HOSTS, Shop

PAIRS = (
    CONFIG.replace("systemd: api.service", "systemd: api@{slot}")
    .replace("http://localhost:8000/health", '"http://localhost:{slot:8000|9000}/health"')
    .replace("backend: shop", 'backend: shop, server: "{name}-{slot}"')
    .replace("rollout: {canary: 1, batch: 1}", "rollout: {batch: 1}")
)


@dataclass
class Pairs(Shop):
    """Three instances of release "1", each in slot b after the first deploy."""

    text: str = PAIRS
    floor: int = len(HOSTS)

    async def _populate(self) -> None:
        Traffic(self.world, "edge", ("api",))
        for host in self.on:
            files = self.host(host).files
            files.mkdir("/srv/api/releases/old")
            files.link("releases/old", "/srv/api/current")
            for slot, port in zip(SLOTS, (8000, 9000), strict=True):
                self.host(host).add_unit(
                    f"api@{slot}.service",
                    service="api",
                    slot=slot,
                    port=port,
                    release_link="/srv/api/current",
                    enabled=slot == SLOTS[0],
                )
            self.copy(host, "a").run_already()

    def copy(self, host: str, slot: str) -> FakeUnit:
        """The unit of a slot."""
        return self.host(host).units[f"api@{slot}.service"]

    def unit(self, host: str) -> FakeUnit:
        """The copy that gets traffic, else the first."""
        both = [self.copy(host, slot) for slot in SLOTS]
        serving = (u for u in both if u.running and self.world.in_traffic(u))
        return next(serving, both[0])

    def bad_release(self, behaviour: Behaviour) -> str:
        """A new release that behaves badly in whichever slot it starts; its name."""
        name = self.release("2")
        for host in self.on:
            for slot in SLOTS:
                self.copy(host, slot).behaviours[name] = behaviour
        return name

    def running(self) -> dict[str, str]:
        """Slots in which something runs, by host: "a", "b" or "ab"."""
        up = {h: [s for s in SLOTS if self.copy(h, s).running] for h in self.on}
        return {host: "".join(slots) for host, slots in up.items()}

    def member(self, host: str, slot: str) -> Instance:
        """The member of the balancer."""
        return Instance("api", host, slot)
