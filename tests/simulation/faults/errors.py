"""A shop whose errors are counted and judged: ``verify`` asks a scripted source."""

from __future__ import annotations

from dataclasses import dataclass, field

from gapless.config.judging import JudgeConfig
from gapless.config.services import ServiceConfig
from gapless.drivers import registry
from gapless.drivers.checks.rates import RateSource
from gapless.testing.fake_rates import Errs, FakeRates
from gapless.testing.world import World
from tests.simulation.faults.shop import HOSTS, Shop

USUAL = Errs(0.005, requests=10.0)
BAD = Errs(0.2, requests=10.0, message="500 GET /cart")


@dataclass
class Judged:
    """``keys`` are those of the judge in gapless.yaml."""

    shop: Shop
    usual: Errs = USUAL
    keys: str = ""
    history: bool = True
    seed: int = 3
    rates: FakeRates = field(init=False)

    def __post_init__(self) -> None:
        rule = f"verify: {{logs: {{{self.keys}}}}}"
        self.shop.edit("verify: {http: http://localhost:8000/health}", rule)
        self.shop.patch.setattr(registry, "rates", self._rates)
        self.rates = self._source()

    def _source(self) -> FakeRates:
        clock = self.shop.world.clock
        return FakeRates(clock, seed=self.seed, usual=self.usual, history=self.history)

    def _rates(
        self, config: ServiceConfig, *more: object
    ) -> tuple[tuple[JudgeConfig, RateSource], ...]:
        return tuple((entry.judge, self.rates) for entry in config.verify if entry.judge)

    def another_controller(self) -> None:
        """What an earlier one kept in memory is gone."""
        self.shop.patch.setattr(registry, "rates", self._rates)
        kept, self.rates = self.rates, self._source()
        self.rates.take_script_of(kept)

    def errs_with(self, release: str, errs: Errs) -> None:
        """From the moment a host runs this release it errs so, and no longer."""
        now: dict[str, bool] = {}

        def follow(world: World) -> None:
            for host in HOSTS:
                runs = self.shop.unit(host).version == release
                if now.get(host, False) != runs:
                    now[host] = runs
                    self.rates.set(errs if runs else self.usual, host)

        self.shop.world.on_change(follow)

    def everywhere(self, errs: Errs) -> None:
        """From now on every host errs so, whatever it runs."""
        self.rates.set(errs, *HOSTS)

    def switched_at(self, host: str) -> float:
        """When its switch was begun, by the journal."""
        return next(e.ts for e in self.shop.events("step.started") if e.step == "switch")
