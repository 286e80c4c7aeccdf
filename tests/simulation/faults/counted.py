"""A shop with two slots whose balancer counts the requests of each copy, and judges the new one by
them: as with a real balancer, nothing is known of before the controller came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gapless.drivers.balancers.base import Balancer, Counters
from gapless.errors import TrafficError
from gapless.model import Instance
from gapless.testing.fake_traffic import FakeBalancer, Traffic
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.world import World
from tests.simulation.faults.pairs import Pairs

SHARES = "{strategy: canary, shift: [10%, 30%], hold: 2m}"
VERIFY = 'verify: {http: "http://localhost:{slot:8000|9000}/health"}'


@dataclass
class Requests:
    """``pace`` requests a second of all clients together, by the weights of the members; the part
    of them that fails goes by the release that answers."""

    traffic: Traffic
    pace: float = 10.0
    fails: dict[str, float] = field(default_factory=dict)
    silent: bool = False
    """Whether nobody is told any more."""
    _counted: dict[Instance, list[float]] = field(default_factory=dict)
    _since: float = 0.0
    _now: dict[Instance, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.traffic.world.on_change(self.note)

    def note(self, world: World) -> None:
        """From now on requests go where they go now."""
        now = world.clock.monotonic()
        for member, (share, fails) in self._now.items():
            counted = self._counted.setdefault(member, [0.0, 0.0])
            requests = self.pace * share * (now - self._since)
            counted[0] += requests
            counted[1] += requests * fails
        self._since = now
        self._now = {
            unit.instance: (self.traffic.share(unit.instance), self.fails.get(unit.version, 0.0))
            for unit in self._units()
        }

    def of(self, member: Instance) -> Counters:
        """What the balancer has counted of it up to now."""
        self.note(self.traffic.world)
        requests, errors = self._counted.get(member, [0.0, 0.0])
        return Counters(int(requests), int(errors), detail={"lb": member.slot}, lives={"lb": "1"})

    def _units(self) -> list[FakeUnit]:
        return [u for name in self.traffic.services for u in self.traffic.world.units(name)]


class Counting(FakeBalancer):
    """Tells what was counted."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests.traffic)
        self._requests = requests

    async def counters(self, instance: Instance) -> Counters:
        """By copy."""
        if self._requests.silent:
            raise TrafficError("connection refused", where=self.name)
        return self._requests.of(instance)


@dataclass
class Counted(Pairs):
    """Release "1" runs on ``on``, in slot b, and never fails; from now on canaries get shares, and
    errors are judged by ``keys``."""

    keys: str = ""
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.text.replace("on: [web1, web2, web3]", f"on: [{', '.join(self.on)}]")
        self.floor = len(self.on)
        super().__post_init__()
        self.edit("{batch: 1}", SHARES)
        self.edit(VERIFY, f"verify: {{balancer_errors: {{{self.keys}}}}}")

    async def _populate(self) -> None:
        await super()._populate()
        self.requests = Requests(self.world.traffic["edge"])

    def _balancer(self, name: str, *more: object) -> Balancer:
        return Counting(self.requests)

    def fails(self, release: str, part: float) -> None:
        """This part of its requests does from now on."""
        self.requests.note(self.world)
        self.requests.fails[release] = part
        self.requests.note(self.world)

    def pace(self, pace: float) -> None:
        """So many requests a second from now on."""
        self.requests.note(self.world)
        self.requests.pace = pace

    def silent(self) -> None:
        """The balancer tells nobody any more what it counts."""
        self.requests.silent = True

    def shown(self, share: int) -> dict[str, Any]:
        """What the journal keeps of what was shown up to the end of a share, on web1."""
        steps = self.journal().steps(self.last().id)
        record = next(one for key, one in steps.items() if f"/web1/api/shift-{share}" in key)
        (shown,) = record.result["shown"]
        return dict(shown)

    def judged(self, step: str) -> list[str]:
        """The words of the judge at the end of a step, with what it asked."""
        told = [e for e in self.events() if e.type.startswith("check.") and e.step == step]
        verdicts = [e.data["verdict"] for e in told if e.data["verdict"]["check"] == ERRORS]
        return [f"{v['status']} {v['asked']}: {v['answer']}" for v in verdicts]


ERRORS = "balancer errors"
