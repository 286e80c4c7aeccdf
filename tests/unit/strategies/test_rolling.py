from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.quantities import resolve_amount
from gapless.config.services import ServiceConfig
from gapless.plans import Batch, StepKind, Verb
from gapless.strategies.rolling import Group, batches, sizes, steps
from tests.unit.config.shop import loaded

amounts = st.one_of(st.integers(0, 60), st.integers(0, 100).map(lambda share: f"{share}%"))


def names(hosts: list[str], **wanted: int | str) -> list[str]:
    defaults: dict[str, int | str] = {"canary": 0, "batch": 1, "max_unavailable": 1}
    asked = {**defaults, **wanted}
    size = sizes(len(hosts), batch=asked["batch"], max_unavailable=asked["max_unavailable"])
    canary = resolve_amount(asked["canary"], len(hosts))
    return told(batches([Group("", tuple(hosts), size.batch)], canary=canary))


def told(made: Sequence[Batch]) -> list[str]:
    """``canary1:a``, with what comes before the next group."""
    return [f"{b.name}:{','.join(b.hosts)}{_then(b)}" for b in made]


def _then(batch: Batch) -> str:
    return " approve" if batch.approve else f" {batch.wait:g}s" if batch.wait else ""


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
    size = sizes(40, batch="25%", max_unavailable="50%")
    assert (size.batch, size.floor) == (10, 20)


def test_a_small_share_is_one_instance_but_no_canary() -> None:
    size = sizes(3, batch="1%", max_unavailable="1%")
    assert (size.batch, size.floor) == (1, 2)
    assert names(["a", "b", "c"], canary="1%", batch="1%") == ["batch1:a", "batch2:b", "batch3:c"]


def test_a_single_instance_has_no_floor() -> None:
    assert sizes(1, batch=1, max_unavailable=1).floor == 0


@pytest.mark.parametrize(("out", "batch"), [(0, 3), (1, 2), (2, 1), (3, 1), (9, 1)])
def test_instances_that_are_out_already_count(out: int, batch: int) -> None:
    assert sizes(9, batch=3, max_unavailable=3, out=out).batch == batch


@given(st.integers(1, 60), amounts, amounts, amounts, st.data())
def test_never_more_than_may_be_out_and_each_instance_once(
    total: int, canary: int | str, batch: int | str, limit: int | str, data: st.DataObject
) -> None:
    everywhere = [f"h{n}" for n in range(total)]
    touched = [host for host in everywhere if data.draw(st.booleans())]
    size = sizes(total, batch=batch, max_unavailable=limit)
    group = Group("", tuple(touched), size.batch)
    made = batches([group], canary=resolve_amount(canary, total))
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
    size = sizes(total, batch=batch, max_unavailable=limit, out=min(out, total - 1))
    assert size.batch == 1 or size.batch + out <= total - size.floor


class TestGroups:
    def test_one_after_the_other_with_what_comes_between(self) -> None:
        groups = [
            Group("eqiad", ("a", "b", "c"), 2, canary=1, approve=True),
            Group("codfw", ("d", "e"), 2, wait=600.0),
            Group("", ("f",), 1),
        ]
        assert told(batches(groups)) == [
            "canary1:a", "batch1:b,c approve", "batch2:d,e 600s", "batch3:f",
        ]  # fmt: skip
        assert [b.group for b in batches(groups)] == ["eqiad", "eqiad", "codfw", ""]

    def test_after_the_last_there_is_nothing_to_wait_for(self) -> None:
        groups = [Group("a", ("x",), 1, approve=True), Group("b", (), 1)]
        assert told(batches(groups)) == ["batch1:x"]

    def test_a_group_of_which_nothing_is_replaced_asks_for_nothing(self) -> None:
        groups = [
            Group("a", (), 1, approve=True), Group("b", ("x",), 1), Group("c", ("y",), 1)
        ]  # fmt: skip
        assert told(batches(groups)) == ["batch1:x", "batch2:y"]

    def test_a_group_whose_hosts_were_all_canaries_still_asks(self) -> None:
        groups = [Group("a", ("x",), 1, approve=True), Group("b", ("y", "z"), 2)]
        assert told(batches(groups, canary=1)) == ["canary1:x approve", "batch1:y,z"]

    def test_named_canaries_go_first_wherever_they_are(self) -> None:
        groups = [Group("a", ("w", "x"), 2), Group("b", ("y", "z"), 2)]
        made = batches(groups, canary=("z", "w", "z", "gone"))
        assert told(made) == ["canary1:z", "canary2:w", "batch1:x", "batch2:y"]

    def test_new_hosts_go_first_in_their_group(self) -> None:
        groups = [Group("a", ("v", "w", "x"), 2), Group("b", ("y", "z"), 2)]
        made = batches(groups, installs={"x", "z"})
        assert told(made) == ["batch1:x", "batch2:v,w", "batch3:z", "batch4:y"]


class TestZones:
    def test_a_batch_takes_the_next_of_another_zone(self) -> None:
        zones = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3"}
        made = batches([Group("", tuple("abcde"), 3)], zones=zones)
        assert told(made) == ["batch1:a,c,e", "batch2:b,d"]

    def test_who_has_no_zone_goes_alone(self) -> None:
        zones = {"a": "1", "b": "", "c": "2", "d": ""}
        made = batches([Group("", tuple("abcd"), 4)], zones=zones)
        assert told(made) == ["batch1:a,c", "batch2:b", "batch3:d"]

    def test_one_zone_alone_is_one_after_another(self) -> None:
        made = batches([Group("", ("a", "b"), 2)], zones={"a": "1", "b": "1"})
        assert told(made) == ["batch1:a", "batch2:b"]


hosts_drawn = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)


@given(st.data())
def test_groups_zones_and_canaries_together(data: st.DataObject) -> None:
    """Each host exactly once; groups in their order; never two of a zone; never more at once than
    its group allows; and what comes between two groups stands between them."""
    every = data.draw(hosts_drawn)
    zones = {host: data.draw(st.sampled_from(["", "1", "2", "3"])) for host in every}
    spread = data.draw(st.booleans())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(every)), max_size=3)))
    edges = [0, *cuts, len(every)]
    groups = [
        Group(
            f"g{n}",
            tuple(every[start:end]),
            data.draw(st.integers(1, 5)),
            data.draw(st.one_of(st.integers(0, 2), st.just(tuple(every[:1])))),
            data.draw(st.sampled_from([0.0, 60.0])),
            data.draw(st.booleans()),
        )
        for n, (start, end) in enumerate(pairwise(edges))
    ]
    canary = data.draw(st.one_of(st.integers(0, 3), hosts_drawn.map(tuple)))
    installs = {host for host in every if data.draw(st.booleans())}
    made = batches(groups, canary=canary, installs=installs, zones=zones if spread else {})
    assert sorted(chain.from_iterable(b.hosts for b in made)) == sorted(every)
    assert len({b.name for b in made}) == len(made)
    size = {group.name: group.batch for group in groups}
    rank = [int(b.group[1:]) for b in made if b.group]
    assert rank == sorted(rank)
    for batch in made:
        assert 0 < len(batch.hosts) <= (1 if "canary" in batch.name else size[batch.group])
        known = [zones[host] for host in batch.hosts]
        if spread and len(batch.hosts) > 1:
            assert all(known)
            assert len(set(known)) == len(known)
    if canary == 0:
        _between(groups, made)


def _between(groups: Sequence[Group], made: Sequence[Batch]) -> None:
    """Without canaries of the whole: the last batch of each group says what its group says."""
    filled = [group for group in groups if group.hosts]
    for group in filled[:-1]:
        last = [b for b in made if b.group == group.name][-1]
        assert (last.wait, last.approve) == (group.wait, group.approve)
    ends = [[b for b in made if b.group == group.name][-1] for group in filled[:-1]]
    assert not any(b.wait or b.approve for b in made if b not in ends)


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
