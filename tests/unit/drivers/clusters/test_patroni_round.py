"""A cluster of Patroni as its members show it: who is in sync, who may lead, what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gapless.clusters.finding import Finding
from gapless.clusters.gates import refusals
from gapless.clusters.group import Kind
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.patroni_findings import findings
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_sight import Sight

from .patroni_words import CONFIG, NOW, listing, round_of, sight, silent, streaming

A, B, C = sight("pg1"), sight("pg2"), sight("pg3")
SYNC = {**CONFIG, "synchronous_mode": True}
STRICT = {**SYNC, "synchronous_mode_strict": True}
LATER = "2026-11-23T03:00:00+00:00"


def the_only(seen: Round, *, absolute: bool = False) -> Finding:
    (found,) = findings(seen)
    assert found.absolute is absolute and found.next
    return found


def with_view(**changed: Any) -> list[Sight]:
    """All three, which read this in the store."""
    return [sight(name, view=listing(**changed)) for name in ("pg1", "pg2", "pg3")]


def code(seen: Round, member: str) -> str:
    trouble = seen.trouble(member)
    return trouble.code if trouble is not None else ""


def test_a_healthy_cluster() -> None:
    seen = round_of(A, B, C)
    group = seen.group()
    assert not findings(seen)
    assert (group.id, group.kind, group.leader, group.minimum) == ("shop", Kind.PRIMARY, "pg1", 1)
    assert group.full and group.slack == 2
    assert group.position == {"pg1": 5000, "pg2": 5000, "pg3": 5000}
    assert [(m.id, m.host, m.role) for m in seen.members()] == [
        ("pg1", "db1", "leader"), ("pg2", "db2", "replica"), ("pg3", "db3", "replica"),
    ]  # fmt: skip
    assert all(member.well and member.began and member.version for member in seen.members())


def test_a_restart_that_is_pending_is_told_and_no_fault() -> None:
    seen = round_of(A, sight("pg2", pending_restart=True), C)
    assert not findings(seen)
    assert seen.members()[1].role == "replica, pending restart"


def _fed(*names: str, copying: str = "") -> Sight:
    """The leader, from which these stream, and one copies all."""
    copies = streaming(copying, state="backup") if copying else []
    return sight("pg1", replication=[*streaming(*names), *copies])


@pytest.mark.parametrize(
    ("sights", "found", "words"),
    [
        ([A, B, silent("db3")], "silent-member", "does not answer: Patroni on db3"),
        ([A, B, sight("pg3", state="starting")], "not-running", "PostgreSQL is starting"),
        (with_view(of={"pg3": {"state": "stopped"}}), "not-running", "has it as stopped"),
        ([_fed("pg2"), B, C], "not-streaming", "streams from none of the 3"),
        (
            [_fed("pg2", copying="pg3"), B, C],
            "not-streaming",
            "streams from none",
        ),
        ([A, B, sight("pg3", timeline=1)], "other-timeline", "on timeline 1, pg1 on 2"),
        ([A, B, sight("pg3", timeline=None)], "other-timeline", "nobody knows which"),
        (with_view(of={"pg3": {"timeline": 1}}), "other-timeline", "on timeline 1"),
        (with_view(of={"pg3": {"lag": "unknown"}}), "lag-unknown", "nobody knows how far"),
        (
            [A, B, sight("pg3", xlog={"received_location": 5000, "replayed_location": None})],
            "lag-unknown",
            "nobody knows how far",
        ),
        (
            [A, B, sight("pg3", xlog={"received_location": 5000, "replayed_location": 3999})],
            "lagging",
            "1,001 bytes behind, and 1,000 are allowed",
        ),
    ],
)  # fmt: skip
def test_a_replica_in_trouble(sights: list[Sight], found: str, words: str) -> None:
    seen = round_of(*sights)
    finding = the_only(seen)
    assert (finding.code, finding.where, finding.member) == (found, "pg3", "pg3")
    assert words in finding.what
    assert seen.group().in_sync == {"pg1", "pg2"} and not seen.members()[2].well
    topology = Topology(
        by_id(seen.members()), {"shop": seen.group()}, findings(seen), tuple(seen.answers)
    )
    assert found in {one.code for one in refusals(topology, ["pg2"])}
    assert not refusals(topology, ["pg3"]), "to restart it may be what mends it"


def test_just_as_far_behind_as_it_may_be() -> None:
    xlog = {"received_location": 5000, "replayed_location": 4000}
    assert not findings(round_of(A, B, sight("pg3", xlog=xlog)))


def test_a_replica_may_stream_from_another_one() -> None:
    cascade = sight("pg2", replication=streaming("pg3"))
    assert not findings(round_of(_fed("pg2"), cascade, C))
    assert not findings(round_of(_fed("pg2"), B, sight("pg3", replication_state="streaming")))


def test_a_leader_that_does_not_lead() -> None:
    seen = round_of(sight("pg1", role="replica"), B, C)
    assert (the_only(seen).code, the_only(seen).where) == ("not-primary", "pg1")
    assert "pg1" not in seen.group().in_sync


def test_a_leader_that_does_not_answer_makes_nobody_well() -> None:
    seen = round_of(silent("db1"), B, C)
    assert [one.code for one in findings(seen)] == ["silent-member", "lag-unknown", "lag-unknown"]
    assert not seen.group().in_sync


def test_two_that_take_writes() -> None:
    seen = round_of(A, B, sight("pg3", role="master"))
    found = the_only(seen)
    assert (found.code, found.where, found.member) == ("second-primary", "pg3", "")
    topology = Topology(by_id(seen.members()), {"shop": seen.group()}, findings(seen), ("1", "2"))
    assert "second-primary" in {one.code for one in refusals(topology, ["pg3"])}


def test_members_that_disagree_on_who_leads() -> None:
    seen = round_of(A, B, sight("pg3", view=listing("pg2")))
    codes = [one.code for one in findings(seen)]
    assert "leader-disagreement" in codes and seen.leader == "" and not seen.group().in_sync
    assert "db3: pg1 replica" in findings(seen)[0].evidence
    both = [sight(n, view=listing(of={"pg2": {"role": "leader"}})) for n in ("pg1", "pg2", "pg3")]
    assert "leader-disagreement" in [one.code for one in findings(round_of(*both))]
    assert the_only(round_of(A, B, sight("pg3", cluster_unlocked=True))).code == (
        "leader-disagreement"
    )


def test_nobody_leads() -> None:
    seen = round_of(*(sight(name, "", view=listing("")) for name in ("pg1", "pg2", "pg3")))
    group = seen.group()
    assert group.leader == "" and not group.in_sync
    topology = Topology(by_id(seen.members()), {"shop": group}, findings(seen), ("1", "2"))
    assert "no-leader" in {one.code for one in refusals(topology, ["pg2"])}


def test_members_that_list_others() -> None:
    seen = round_of(A, B, sight("pg3", view=listing(names=("pg1", "pg3"))))
    assert the_only(seen).code == "list-disagreement"


def test_maintenance_mode() -> None:
    assert the_only(round_of(*with_view(pause=True))).code == "paused"
    found = the_only(round_of(A, sight("pg2", pause=True), C))
    assert (found.code, found.next) == ("paused", "patronictl resume shop")


def test_what_is_planned() -> None:
    found = the_only(round_of(*with_view(scheduled_switchover={"at": LATER})))
    assert found.code == "scheduled-switchover" and LATER in found.what
    for seen in (
        round_of(*with_view(of={"pg2": {"scheduled_restart": {"schedule": LATER}}})),
        round_of(A, sight("pg2", scheduled_restart={"schedule": LATER}), C),
    ):
        found = the_only(seen)
        assert (found.code, found.where, found.member) == ("scheduled-restart", "pg2", "")


def test_a_promotion_that_is_not_in_the_history_yet() -> None:
    found = the_only(round_of(sight("pg1", history=[]), B, C))
    assert (found.code, found.where) == ("history-changing", "pg1")
    assert not findings(round_of(A, sight("pg2", history=[]), C)), "others read it later"
    assert not findings(round_of(sight("pg1", role="standby_leader", history=[]), B, C))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dcs_last_seen": NOW - 31}, "31 s ago, and its lock holds for 30 s"),
        ({"dcs_last_seen": None}, "does not tell when"),
        ({"failsafe_mode_is_active": True}, "failsafe mode"),
    ],
)
def test_who_has_lost_the_store(changed: dict[str, Any], words: str) -> None:
    found = the_only(round_of(A, sight("pg2", **changed), C))
    assert (found.code, found.member) == ("store-lost", "pg2") and words in found.what


def test_two_clusters_are_told_apart() -> None:
    other = {"version": "3.0.2", "scope": "office"}
    found = the_only(round_of(A, B, sight("pg3", patroni=other)), absolute=True)
    assert (found.code, found.what) == (
        "another-cluster", "its member is of office, and not of shop",
    )  # fmt: skip
    found = the_only(round_of(A, B, sight("pg3", database_system_identifier="9")), absolute=True)
    assert found.code == "another-cluster" and "is 9, not" in found.what


def test_one_member_on_two_hosts() -> None:
    places = {"db1": "pg1", "db2": "pg2", "db3": "pg2"}
    codes = [one.code for one in findings(round_of(A, B, C, places=places))]
    assert codes == ["member-asked-twice", "unknown-member"]


def test_who_runs_nowhere_and_where_nobody_runs() -> None:
    seen = round_of(A, B, silent("db3"), places={"db1": "pg1", "db2": "pg2"})
    found = findings(seen)
    assert [(one.code, one.where) for one in found] == [
        ("unknown-member", "pg3"), ("host-without-member", "db3"),
    ]  # fmt: skip
    seen = round_of(A, B, C, places={"db1": "pg1", "db2": "pg2", "db3": "pg4"})
    assert "unlisted-member" in [one.code for one in findings(seen)]


def test_who_does_not_tell_all() -> None:
    seen = round_of(A, B, replace(C, view=None, why="Patroni on db3 does not answer", next="?"))
    assert (the_only(seen).code, the_only(seen).member) == ("partial-answer", "pg3")
    seen = round_of(A, B, sight("pg3", postmaster_start_time=None))
    assert the_only(seen).code == "no-start-time"


def test_who_may_take_over() -> None:
    slow = sight("pg2", xlog={"received_location": 5000, "replayed_location": 4500})
    assert round_of(A, slow, C).heirs("pg1", ()) == ["pg3", "pg2"]
    assert round_of(A, slow, C).heirs("pg1", ("pg2",)) == ["pg2", "pg3"]
    assert round_of(A, slow, C).heirs("pg1", ("pg2", "pg3")) == ["pg3", "pg2"]
    kept = round_of(A, sight("pg2", tags={"nofailover": True}), C)
    assert kept.heirs("pg1", ("pg2",)) == ["pg3"]
    assert kept.unfit("pg2") == "is tagged nofailover"
    kept = round_of(*with_view(of={"pg2": {"tags": {"nofailover": True}}}))
    assert kept.heirs("pg1", ()) == ["pg3"]
    assert round_of(A, B, silent("db3")).heirs("pg1", ()) == ["pg2"]


def test_only_a_synchronous_standby_has_all_that_was_acknowledged() -> None:
    view = listing(of={"pg3": {"role": "sync_standby"}})
    mine = [sight(name, view=view, config=SYNC) for name in ("pg1", "pg2", "pg3")]
    seen = round_of(*mine)
    assert not findings(seen) and seen.group().full
    assert seen.heirs("pg1", ("pg2",)) == ["pg3"]
    assert seen.unfit("pg2") == "is no synchronous standby"
    torn = [replace(mine[0], view=A.view), mine[1], mine[2]]
    assert round_of(*torn).heirs("pg1", ()) == [], "one who does not know so is enough"


def test_strict_needs_a_standby_to_write_at_all() -> None:
    view = listing(of={"pg3": {"role": "sync_standby"}})
    seen = round_of(*(sight(n, view=view, config=STRICT) for n in ("pg1", "pg2", "pg3")))
    assert seen.group().minimum == 2
    two = listing(names=("pg1", "pg3"), of={"pg3": {"role": "sync_standby"}})
    small = round_of(*(sight(n, view=two, config=STRICT) for n in ("pg1", "pg3")))
    topology = Topology(by_id(small.members()), {"shop": small.group()}, (), ("1", "2"))
    assert [one.code for one in refusals(topology, ["pg3"])] == ["never-safe"]
