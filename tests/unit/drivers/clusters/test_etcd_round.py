"""A cluster of etcd as several hosts showed it: who is in sync, and what is wrong."""

from __future__ import annotations

from dataclasses import replace

from gapless.clusters.finding import Finding
from gapless.drivers.clusters.etcd_findings import findings
from gapless.drivers.clusters.etcd_round import Round

from .etcd_words import listing, number, round_of, sight, silent


def found(of: Round) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings(of)}


def test_all_is_well() -> None:
    of = round_of(sight("a1"), sight("b2"), sight("c3", raftAppliedIndex="95"))
    group = of.group()
    assert (group.leader, group.full, group.slack) == ("a1", True, 1)
    assert group.position == {"a1": 100, "b2": 100, "c3": 95}
    assert [m.role for m in of.members()] == ["leader", "follower", "follower"]
    assert [m.began for m in of.members()] == ["began-a1", "began-b2", "began-c3"]
    assert findings(of) == ()


def test_members_that_follow_different_leaders_are_split() -> None:
    of = round_of(sight("a1"), sight("b2"), sight("c3", "c3", raftTerm="4"))
    group = of.group()
    assert (group.leader, sorted(group.in_sync), group.slack) == ("a1", ["a1", "b2"], 0)
    assert of.trouble("c3") == "names c3 in term 4, most name a1 in term 3"
    told = found(of)
    assert set(told) == {"leader-disagreement", "term-disagreement"}
    assert told["leader-disagreement"].what == "its members name 2 leaders: a1, c3"
    assert "etcd3: c3 names c3 in term 4, applied 100" in told["leader-disagreement"].evidence


def test_without_a_majority_for_one_nobody_leads() -> None:
    of = round_of(sight("a1"), sight("b2", "b2"), sight("c3", ""))
    group = of.group()
    assert (group.leader, sorted(group.in_sync), group.slack) == ("", [], -2)
    told = found(of)
    assert told["leader-disagreement"].what == "its members name 3 leaders: a1, b2, none"
    # One name in different terms is not one leader.
    of = round_of(sight("a1"), sight("b2", raftTerm="4"), sight("c3", "c3"))
    assert (of.leader, of.group().slack) == ("", -2)


def test_one_that_is_behind_is_not_in_sync() -> None:
    of = round_of(sight("a1"), sight("b2"), sight("c3", raftAppliedIndex="89"))
    assert (of.trouble("c3"), of.behind("c3")) == ("is 11 entries behind", 11)
    assert not findings(of), "that is for the group to say"
    assert not round_of(*of.sights, lag=11).trouble("c3")


def test_who_was_asked_later_is_not_ahead() -> None:
    """The mark is that of when the round began."""
    later = sight("a1", raftAppliedIndex="500")
    of = Round((later, sight("b2"), sight("c3")), 10, 100)
    assert of.group().full and of.behind("a1") == of.behind("b2") == 0


def test_errors_are_of_who_has_them() -> None:
    alarm = f"memberID:{number('b2')} alarm:NOSPACE "
    of = round_of(
        sight("a1", errors=[alarm]), sight("b2", errors=[alarm]), sight("c3", errors=["odd"])
    )
    assert of.group().in_sync == {"a1"}
    told = found(of)
    assert set(told) == {"alarm", "member-error"}
    assert (told["alarm"].where, told["alarm"].what) == ("b2", "raised the alarm NOSPACE")
    assert told["alarm"].evidence == "2 of 3 members that answer say so: a1, b2"
    assert told["member-error"].where == "c3" and "odd" in told["member-error"].what


def test_different_lists_are_told_and_the_larger_majority_holds() -> None:
    more = listing("a1", "b2", "c3", "d4")
    of = round_of(sight("a1", listed=more), sight("b2"), sight("c3"))
    group = of.group()
    assert (len(group.members), group.minimum, group.slack) == (4, 3, 0)
    told = found(of)
    assert set(told) == {"list-disagreement", "unknown-member"}
    assert "a1 lists" in told["list-disagreement"].evidence
    assert (told["unknown-member"].where, "1 of 3 lists" in told["unknown-member"].evidence) == (
        "d4",
        True,
    )


def test_one_that_some_take_for_a_learner_is_a_voter() -> None:
    halfway = listing("a1", "b2", learners=("c3",))
    of = round_of(sight("a1"), sight("b2", listed=halfway), sight("c3"))
    assert len(of.voters) == 3 and set(found(of)) == {"list-disagreement"}


def test_a_removed_member_that_still_answers_is_a_stranger() -> None:
    two = listing("a1", "b2")
    of = round_of(sight("a1", listed=two), sight("b2", listed=two), sight("c3", listed=two))
    assert set(found(of)) == {"unlisted-member"} and len(of.group().members) == 2


def test_minors_may_be_one_apart() -> None:
    near = round_of(sight("a1", version="3.4.9"), sight("b2", version="3.5.0"), sight("c3"))
    assert not findings(near)
    far = round_of(sight("a1", version="3.4.9"), sight("b2", version="3.6.0"), sight("c3"))
    assert found(far)["version-skew"].what.startswith("its members run 3.4 to 3.6")
    other = round_of(sight("a1", version="3.4.9"), sight("b2", version="4.0.0"), sight("c3"))
    assert "version-skew" in found(other)


def test_silence_is_placed_by_the_address_that_is_listed() -> None:
    of = round_of(sight("a1"), silent("etcd2"), silent("etcd3"), lag=10)
    assert of.places == {"a1": "etcd1", "b2": "etcd2", "c3": "etcd3"}
    assert [f.code for f in findings(of)] == ["silent-member", "silent-member"]


def test_silence_is_placed_as_the_only_one_left() -> None:
    here = "http://127.0.0.1:2379"
    of = round_of(sight("a1", url=here), sight("b2", url=here), silent("etcd3", url=here))
    assert of.places["c3"] == "etcd3"
    two = round_of(sight("a1", url=here), silent("etcd2", url=here), silent("etcd3", url=here))
    assert two.places == {"a1": "etcd1"}
    codes = [finding.code for finding in findings(two)]
    assert codes == ["unknown-member"] * 2 + ["host-without-member"] * 2


def test_a_host_of_another_cluster_is_never_good_enough() -> None:
    of = round_of(sight("a1"), sight("b2"), sight("c3", cluster="8", raftAppliedIndex="5000"))
    told = found(of)
    assert told["another-cluster"].absolute and told["another-cluster"].where == "etcd3"
    assert "c3" not in of.answers and of.group().slack == 0


def test_a_member_asked_on_two_hosts_has_none() -> None:
    of = round_of(sight("a1"), sight("b2"), replace(sight("b2"), host="etcd3"))
    told = found(of)
    assert told["member-asked-twice"].absolute
    assert told["member-asked-twice"].what == "answers on 2 hosts: etcd2, etcd3"
    assert "b2" not in of.places


def test_refusals_and_halves_are_told() -> None:
    shut = replace(silent("etcd3"), refused=True)
    half = replace(sight("b2"), listed=None, began="", why="etcd on etcd2 does not answer")
    of = round_of(sight("a1"), half, shut)
    assert {code: f.where for code, f in found(of).items()} == {
        "auth-refused": "etcd3",
        "partial-answer": "b2",
    }
    mute = round_of(sight("a1"), replace(sight("b2"), began=""), sight("c3"))
    assert found(mute)["no-start-time"].where == "b2"
