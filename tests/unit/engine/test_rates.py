"""How the chance of a false alarm is shared out, and which hosts are the measure."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.engine.bench import checks
from gapless.engine.context import InstanceContext
from gapless.engine.windows import CONTROLS, untouched
from gapless.plans import Batch, ServicePlan, StepKind

CANARY = Batch("canary1", ("h1",))
PAIR = Batch("batch1", ("h2", "h3"))
LAST = Batch("batch2", ("h4",))


def plan(*batches: Batch, steps: tuple[StepKind, ...] = ()) -> ServicePlan:
    return cast(ServicePlan, SimpleNamespace(batches=batches, steps=steps))


def shares(*batches: Batch) -> Iterator[float]:
    """What each check of a rate gets: every host, and every batch of several together."""
    for batch in batches:
        for _ in range(len(batch.hosts) + (len(batch.hosts) > 1)):
            yield 1 / checks(plan(*batches), batch)


def test_the_canaries_have_one_half() -> None:
    service = plan(CANARY, PAIR, LAST)
    assert checks(service, CANARY) == 2
    assert checks(service, PAIR) == checks(service, LAST) == 8


def test_canaries_that_get_shares_first_are_judged_twice() -> None:
    service = plan(CANARY, PAIR, LAST, steps=(StepKind.SHIFT,))
    assert checks(service, CANARY) == 4
    assert checks(service, PAIR) == 8


def test_without_canaries_all_is_for_the_others() -> None:
    assert checks(plan(PAIR, LAST), PAIR) == 4
    assert checks(plan(CANARY), CANARY) == 1


@pytest.mark.parametrize("batches", [(CANARY, PAIR, LAST), (PAIR, LAST), (CANARY,), (CANARY, LAST)])
def test_no_more_is_spent_than_there_is(batches: tuple[Batch, ...]) -> None:
    assert sum(shares(*batches)) == pytest.approx(1)


def instance(host: str, hosts: list[str], planned: list[str], begun: set[str]) -> InstanceContext:
    """One of a service on ``hosts`` of which ``planned`` are replaced."""

    def key(name: str, kind: StepKind) -> str:
        return f"{name}/{kind}"

    service: Any = SimpleNamespace(
        name="api", hosts=planned, steps=(StepKind.PREFLIGHT,), absent={}, step_key=key
    )
    rollout: Any = SimpleNamespace(
        assembly=SimpleNamespace(hosts_of=lambda name: hosts),
        floors={"api": SimpleNamespace(broken={"broken"})},
        lost={("api", "lost"): None},
        steps={key(name, StepKind.PREFLIGHT) for name in begun},
    )
    return InstanceContext(rollout, service, host)


def test_untouched_hosts_are_those_that_stay_so_the_longest() -> None:
    hosts = ["h1", "h2", "h3", "lost", "broken", "h4", "elsewhere"]
    planned = ["h1", "h2", "h3", "h4"]
    ctx = instance("h1", hosts, planned, {"h1", "h2"})
    assert untouched(ctx) == ("elsewhere", "h4", "h3")


def test_of_a_thousand_hosts_a_few_are_asked() -> None:
    hosts = [f"h{number}" for number in range(1000)]
    ctx = instance("h0", hosts, hosts, {"h0"})
    assert untouched(ctx) == tuple(f"h{number}" for number in range(999, 999 - CONTROLS, -1))
