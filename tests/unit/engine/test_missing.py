"""What is missing after a restart, and whose trouble it is."""

from __future__ import annotations

import math

from gapless.clusters.finding import Finding
from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.base import Rejoined
from gapless.engine.missing import Missing, of_cluster, of_member

_IDS = ("10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379")
_ONE, _TWO, _THREE = _IDS


def _topology(
    *behind: str, findings: tuple[Finding, ...] = (), leader: str = _ONE, known: bool = True
) -> Topology:
    members = by_id(Member(one, host=f"redis{one[7]}") for one in _IDS)
    at = {one: 70 if one in behind else 100 for one in _IDS if known or one not in behind}
    in_sync = frozenset(_IDS).difference(behind)
    group = Group("shop", Kind.PRIMARY, _IDS, leader, in_sync, 1, position=at)
    return Topology(members, {"shop": group}, findings, asked=_IDS)


def _lags(member: str, *, whose: str | None = None) -> Finding:
    return Finding(
        "lagging", member, "it is 30 bytes behind", member=member if whose is None else whose
    )


def test_one_that_is_not_back_is_told_by_its_driver() -> None:
    found = of_member(Rejoined(False, "it still copies", 5), "redis2")
    assert found == Missing(("it still copies",), own=True, left=5.0, hosts=("redis2",))
    assert of_member(Rejoined(False, "silent"), "redis2").left == math.inf


def test_one_that_is_back_in_a_cluster_that_is_well() -> None:
    assert of_cluster(_topology(), _topology(), _TWO, ()) == Missing()


def test_the_trouble_of_another_one_is_not_that_of_the_member() -> None:
    now = _topology(_THREE, findings=(_lags(_THREE),))
    found = of_cluster(now, _topology(), _TWO, ())
    assert not found.own
    assert found.hosts == ("redis3",)
    assert found.left == 30
    assert found.what == (
        f"redis3 ({_THREE}): it is 30 bytes behind",
        f"shop: redis3 ({_THREE}) not in sync",
    )


def test_its_own_trouble_comes_first() -> None:
    """Also where the finding is one that a restart would not mend, and so names no member."""
    now = _topology(_TWO, findings=(_lags(_THREE), _lags(_TWO, whose="")))
    found = of_cluster(now, _topology(), _TWO, ())
    assert found.own
    assert found.what[0] == f"redis2 ({_TWO}): it is 30 bytes behind"
    assert found.hosts[0] == "redis2"


def test_the_trouble_of_the_whole_cluster_is_nobodys() -> None:
    now = _topology(leader="", findings=(Finding("disagree", "shop", "they differ"),))
    found = of_cluster(now, _topology(), _TWO, ())
    assert found.what == ("shop: they differ", "shop has no leader")
    assert not found.own and not found.hosts


def test_those_that_are_restarted_beside_it_wait_for_themselves() -> None:
    now = _topology(_THREE, findings=(_lags(_THREE),))
    assert of_cluster(now, _topology(), _TWO, (_THREE,)) == Missing()


def test_a_group_that_nobody_reports_any_more() -> None:
    now = Topology(by_id([Member(_TWO)]), {})
    assert of_cluster(now, _topology(), _TWO, ()).what == ("shop is not reported",)


def test_who_is_behind_without_a_number_is_infinitely_far() -> None:
    assert of_cluster(_topology(_THREE, known=False), _topology(), _TWO, ()).left == math.inf


def test_to_be_back_is_nearer_than_anything_that_is_missing_of_oneself() -> None:
    own = of_member(Rejoined(False, "it catches up", 1), "redis2")
    others = of_cluster(_topology(_THREE, findings=(_lags(_THREE),)), _topology(), _TWO, ())
    assert others.far < own.far
