from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.services import ServiceConfig
from gapless.plans import StepKind, Verb
from gapless.strategies.rolling import batches, sizes, steps
from tests.unit.config.shop import loaded

amounts = st.one_of(st.integers(0, 60), st.integers(0, 100).map(lambda share: f"{share}%"))


def names(hosts: list[str], **wanted: int | str) -> list[str]:
    defaults: dict[str, int | str] = {"canary": 0, "batch": 1, "max_unavailable": 1}
    asked = {**defaults, **wanted}
    size = sizes(
        len(hosts),
        canary=asked["canary"],
        batch=asked["batch"],
        max_unavailable=asked["max_unavailable"],
    )
    return [f"{b.name}:{','.join(b.hosts)}" for b in batches(hosts, size)]


def test_one_after_another_by_default() -> None:
    assert names(["a", "b", "c"]) == ["batch1:a", "batch2:b", "batch3:c"]


def test_canaries_go_first_and_alone() -> None:
    assert names([*"abcdef"], canary=2, batch=3, max_unavailable=3) == [
        "canary1:a",
        "canary2:b",
        "batch1:c,d,e",
        "batch2:f",
    ]


def test_as_many_canaries_as_instances_or_more() -> None:
    assert names(["a", "b"], canary=9) == ["canary1:a", "canary2:b"]


def test_a_batch_is_cut_down_to_what_may_be_out() -> None:
    assert names([*"abcd"], batch="100%", max_unavailable=2) == ["batch1:a,b", "batch2:c,d"]


def test_shares_are_of_all_instances() -> None:
    size = sizes(40, canary="5%", batch="25%", max_unavailable="50%")
    assert (size.canary, size.batch, size.floor) == (2, 10, 20)


def test_a_small_share_is_one_instance_but_no_canary() -> None:
    size = sizes(3, canary="1%", batch="1%", max_unavailable="1%")
    assert (size.canary, size.batch, size.floor) == (0, 1, 2)


def test_a_single_instance_has_no_floor() -> None:
    assert sizes(1, canary=0, batch=1, max_unavailable=1).floor == 0


@pytest.mark.parametrize(("out", "batch"), [(0, 3), (1, 2), (2, 1), (3, 1), (9, 1)])
def test_instances_that_are_out_already_count(out: int, batch: int) -> None:
    assert sizes(9, canary=0, batch=3, max_unavailable=3, out=out).batch == batch


@given(st.integers(1, 60), amounts, amounts, amounts, st.data())
def test_never_more_than_may_be_out_and_each_instance_once(
    total: int, canary: int | str, batch: int | str, limit: int | str, data: st.DataObject
) -> None:
    everywhere = [f"h{n}" for n in range(total)]
    touched = [host for host in everywhere if data.draw(st.booleans())]
    size = sizes(total, canary=canary, batch=batch, max_unavailable=limit)
    made = batches(touched, size)
    assert [host for b in made for host in b.hosts] == touched
    assert all(len(b.hosts) <= total - size.floor for b in made)
    assert all(b.hosts for b in made)
    assert all(len(b.hosts) == 1 for b in made if b.name.startswith("canary"))
    assert len({b.name for b in made}) == len(made)
    assert 0 <= size.floor < total


@given(st.integers(2, 60), amounts, amounts, st.integers(0, 60))
def test_those_out_and_those_in_work_together_stay_within_the_limit(
    total: int, batch: int | str, limit: int | str, out: int
) -> None:
    size = sizes(total, canary=0, batch=batch, max_unavailable=limit, out=min(out, total - 1))
    assert size.batch == 1 or size.batch + out <= total - size.floor


class TestSteps:
    @pytest.fixture
    def api(self, tmp_path: Path) -> ServiceConfig:
        return loaded(tmp_path).project.services["shop.api"]

    def words(self, kinds: tuple[StepKind, ...]) -> str:
        return " ".join(kinds)

    def test_a_deploy_of_everything(self, api: ServiceConfig) -> None:
        verified = api.model_copy(update={"verify": api.health})
        assert self.words(steps(verified, Verb.DEPLOY, migrate=True)) == (
            "preflight snapshot stage migrate drain switch ready admit soak verify commit"
        )

    def test_a_restart_stages_nothing_but_migrates(self, api: ServiceConfig) -> None:
        assert self.words(steps(api, Verb.RESTART, migrate=True)) == (
            "preflight snapshot migrate drain switch ready admit soak commit"
        )

    def test_migrations_can_be_skipped(self, api: ServiceConfig) -> None:
        assert StepKind.MIGRATE not in steps(api, Verb.DEPLOY, migrate=False)

    def test_without_balancer_nothing_is_drained(self, api: ServiceConfig) -> None:
        alone = api.model_copy(update={"balancer": ()})
        assert not {StepKind.DRAIN, StepKind.ADMIT} & set(steps(alone, Verb.RESTART, migrate=True))

    def test_no_soak_when_it_is_zero(self, api: ServiceConfig) -> None:
        hasty = api.model_copy(update={"soak": 0.0})
        assert StepKind.SOAK not in steps(hasty, Verb.RESTART, migrate=True)
