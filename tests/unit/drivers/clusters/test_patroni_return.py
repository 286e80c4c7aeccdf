"""What a member of Patroni lacks to be back."""

from __future__ import annotations

from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.patroni_return import missing
from gapless.drivers.clusters.patroni_round import Round
from gapless.drivers.clusters.patroni_sight import Sight

from .patroni_words import PLACES, listing, round_of, sight, silent, streaming

A, B, C = sight("pg1"), sight("pg2"), sight("pg3")
LATER = "2026-11-22 11:00:00.000000+00:00"
ANEW = sight("pg3", postmaster_start_time=LATER)


def topology(of: Round) -> Topology:
    return Topology(by_id(of.members()), {"shop": of.group()})


def lacks(*sights: Sight, ended: str = "", places: dict[str, str] | None = None) -> str:
    was = topology(round_of(A, B, C))
    return missing(round_of(*sights, places=places), was.members["pg3"], was, ended)


def test_it_is_back() -> None:
    assert lacks(A, B, ANEW) == ""


def test_a_switchover_began_a_new_postgresql_before_it_was_stopped() -> None:
    assert lacks(A, B, ANEW, ended=LATER) == f"it is still the PostgreSQL that began at {LATER}"
    assert lacks(A, B, ANEW, ended="between") == ""


def test_it_is_not() -> None:
    assert lacks(A, B, silent("db3")) == "pg3 does not answer: Patroni on db3 does not answer"
    assert "still the PostgreSQL" in lacks(A, B, C)
    assert "nobody can tell" in lacks(A, B, sight("pg3", postmaster_start_time=None))
    starting = {"postmaster_start_time": LATER, "state": "starting"}
    assert lacks(A, B, sight("pg3", **starting)) == "pg3 its PostgreSQL is starting"
    behind = {"received_location": 5000, "replayed_location": 9}
    slow = sight("pg3", postmaster_start_time=LATER, xlog=behind)
    assert lacks(A, B, slow) == "pg3 is 4,991 bytes behind, and 1,000 are allowed"
    fed = sight("pg1", replication=streaming("pg2"))
    assert "streams from none" in lacks(fed, B, ANEW)
    assert "on timeline 1, pg1 on 2" in lacks(
        A, B, sight("pg3", postmaster_start_time=LATER, timeline=1)
    )


def test_a_view_of_before_the_restart_is_not_enough() -> None:
    """The store has it as stopped still, or knows no position yet."""
    for old in ({"state": "stopped"}, {"lag": "unknown"}):
        view = listing(of={"pg3": old})
        told = lacks(A, B, sight("pg3", view=view, postmaster_start_time=LATER))
        assert told.startswith("pg3 "), told


def test_another_one_is_there() -> None:
    places = {"db1": "pg1", "db2": "pg2", "db3": "pg4"}
    assert lacks(A, B, ANEW, places=places) == ("db3 runs pg4 now, not pg3: it is another identity")
    other = sight("pg3", postmaster_start_time=LATER, database_system_identifier="9")
    assert "pg3 holds data of 9, pg1 of" in lacks(A, B, other)


def test_a_member_that_the_store_has_forgotten() -> None:
    names = listing(names=("pg1", "pg2"))
    seen = (sight("pg1", view=names), sight("pg2", view=names), sight("pg3", view=names))
    assert lacks(*seen, places=PLACES) == "pg3 is on no list of members any more"
    gone = listing(names=("pg1", "pg3"))
    new = sight("pg3", view=gone, postmaster_start_time=LATER)
    told = lacks(sight("pg1", view=gone), sight("pg2", view=gone), new)
    assert told == "the members are pg1, pg3, and were pg1, pg2, pg3"


def test_it_is_not_back_without_a_leader() -> None:
    nobody = listing("")
    new = sight("pg3", view=nobody, postmaster_start_time=LATER)
    assert lacks(sight("pg1", "", view=nobody), sight("pg2", view=nobody), new) == (
        "nobody leads, or not all name the same"
    )


def test_paused_patroni_leaves_its_postgresql_running() -> None:
    assert lacks(A, B, sight("pg3", pause=True)) == ""
