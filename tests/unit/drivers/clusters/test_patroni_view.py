"""What Patroni says, read into facts."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.clusters import patroni_view
from gapless.drivers.clusters.patroni_view import NonsenseError

from .patroni_words import CONFIG, DATE, HISTORY, NOW, SYSTEM, listing, said


def test_a_leader_and_a_replica() -> None:
    leader = patroni_view.status(said("pg1"), DATE)
    assert leader.primary and leader.feeds == {"pg2", "pg3"} and leader.location == 5000
    assert (leader.system, leader.scope, leader.age) == (SYSTEM, "shop", 1.0)
    assert leader.version == "15.14, Patroni 3.0.2"
    replica = patroni_view.status(said("pg2"), DATE)
    assert not replica.primary and replica.location == 5000 and not replica.streams
    assert replica.began != leader.began


def test_a_replica_has_got_as_far_as_it_has_replayed() -> None:
    xlog = {"received_location": 900, "replayed_location": 400, "paused": False}
    assert patroni_view.status(said("pg2", xlog=xlog), DATE).location == 400


def test_patroni_4_has_other_words() -> None:
    about = {"version": "4.1.0", "scope": "shop", "name": "pg2"}
    told = patroni_view.status(said("pg2", replication_state="streaming", patroni=about), DATE)
    assert told.streams and told.name == "pg2"
    assert patroni_view.status(said("pg1", role="primary"), DATE).primary
    seen = patroni_view.view(listing(of={"pg2": {"role": "quorum_standby", "state": "streaming"}}))
    assert seen.members["pg2"].synchronous and seen.leaders == ("pg1",)


def test_a_member_whose_postgresql_does_not_run() -> None:
    down = {"state": "stopped", "role": "replica", "dcs_last_seen": NOW,
            "patroni": {"version": "3.0.2", "scope": "shop"}}  # fmt: skip
    told = patroni_view.status(down, DATE)
    assert (told.state, told.began, told.location, told.timeline) == ("stopped", "", None, None)
    assert told.version == "Patroni 3.0.2"


def test_who_cannot_tell_the_time_is_not_believed_to_be_fresh() -> None:
    assert patroni_view.status(said("pg1"), "").age is None
    assert patroni_view.status(said("pg1"), "yesterday").age is None
    assert patroni_view.status(said("pg1", dcs_last_seen=None), DATE).age is None
    assert patroni_view.status(said("pg1", dcs_last_seen=NOW + 1), DATE).age == 0.0


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"nofailover": True}, True),
        ({"failover_priority": 0}, True),
        ({"failover_priority": 1}, False),
        ({"clonefrom": True}, False),
        (None, False),
    ],
)
def test_tags_that_keep_from_leading(tags: Any, kept: bool) -> None:
    assert patroni_view.status(said("pg2", tags=tags), DATE).nofailover is kept
    assert patroni_view.view(listing(of={"pg2": {"tags": tags}})).members["pg2"].nofailover is kept


def test_what_is_planned() -> None:
    later = "2026-11-23T03:00:00+00:00"
    seen = patroni_view.view(
        listing(
            of={"pg2": {"lag": "unknown", "scheduled_restart": {"schedule": later}}},
            pause=True,
            scheduled_switchover={"at": later, "from": "pg1"},
        )
    )
    assert seen.paused and seen.switchover == later
    assert (seen.members["pg2"].lag, seen.members["pg2"].restart) == (None, later)
    assert patroni_view.status(said("pg2", scheduled_restart={"schedule": later}), DATE).restart
    assert patroni_view.status(said("pg2", pending_restart=True), DATE).pending


def test_what_all_go_by() -> None:
    plain = patroni_view.settings(CONFIG)
    assert (plain.synchronous, plain.strict, plain.standbys, plain.ttl) == (False, False, 1, 30.0)
    for word in (True, "on", "quorum"):
        assert patroni_view.settings({"synchronous_mode": word}).synchronous
    assert not patroni_view.settings({"synchronous_mode": "off"}).synchronous
    strict = patroni_view.settings({"synchronous_mode_strict": True, "synchronous_node_count": 2})
    assert strict.strict and strict.standbys == 2


def test_the_past() -> None:
    assert patroni_view.past(HISTORY) == 1
    assert patroni_view.past([]) == 0


@pytest.mark.parametrize(
    "reading",
    [
        lambda it: patroni_view.status(it, DATE),
        patroni_view.view,
        patroni_view.settings,
        patroni_view.past,
    ],
)
@pytest.mark.parametrize("answer", ["x", 7, ["x"], {"members": 3, "ttl": "long"}])
def test_nonsense(reading: Any, answer: Any) -> None:
    with pytest.raises(NonsenseError):
        reading(answer)
