"""What etcd answers, read into facts."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.clusters import etcd_view
from gapless.drivers.clusters.etcd_view import Alarm, NonsenseError

from .etcd_words import listing, said

LARGE = "bdae9bbc11dd390d"
"""13668033151171901709: no JavaScript, and no float, can hold it."""


def test_a_status_is_read_with_its_large_numbers() -> None:
    status = etcd_view.status(said(LARGE, LARGE, cluster="17300438976491492131"))
    assert (status.id, status.leader, status.leads) == (LARGE, LARGE, True)
    assert status.cluster == "f017819664191323"
    assert (status.term, status.version, status.minor) == (3, "3.4.23", (3, 4))
    assert status.applied == 100, "and not what it was sent: 900"
    assert etcd_view.status(said("a1", isLearner=True)).learner
    assert etcd_view.decimal(LARGE) == "13668033151171901709"


def test_what_is_left_out_is_nothing() -> None:
    header = {"cluster_id": "7", "member_id": "10"}
    status = etcd_view.status({"header": header})
    assert (status.id, status.leader, status.leads) == ("a", "", False)
    assert (status.term, status.applied, status.learner, status.errors) == (0, 0, False, ())
    assert status.minor is None


def test_alarms_are_not_the_errors_of_who_tells_of_them() -> None:
    errors = ["etcdserver: no leader", "memberID:11 alarm:NOSPACE ", "memberID:12 alarm:CORRUPT "]
    status = etcd_view.status(said("a1", errors=errors))
    assert status.errors == ("etcdserver: no leader",)
    assert status.alarms == (Alarm("b", "NOSPACE"), Alarm("c", "CORRUPT"))


def test_the_list_has_learners_and_those_that_never_started() -> None:
    listed = etcd_view.listed(listing("a1", "f", learners=("b2",)))
    assert [str(one) for one in listed.values()] == [
        "a1 (etcd1)",
        "f (never started)",
        "b2 (etcd2)",
    ]
    assert [one.learner for one in listed.values()] == [False, False, True]
    assert listed["a1"].urls == ("http://etcd1:2379",)


def test_the_start_of_a_process_is_among_its_metrics() -> None:
    metrics = (
        "# HELP process_start_time_seconds Start time of the process\n"
        "# TYPE process_start_time_seconds gauge\n"
        "process_start_time_seconds 1.79535000681e+09\nprocess_virtual_memory_bytes 1\n"
    )
    assert etcd_view.began(metrics) == "1.79535000681e+09"
    assert etcd_view.began("404 page not found") == ""


@pytest.mark.parametrize(
    "answer", [None, [], {}, "xyzzy", {"header": {}}, {"header": {"member_id": "x"}}]
)
def test_everything_else_is_nonsense(answer: Any) -> None:
    with pytest.raises(NonsenseError):
        etcd_view.status(answer)
    with pytest.raises(NonsenseError):
        etcd_view.listed(answer)
    with pytest.raises(NonsenseError):
        etcd_view.listed({"members": [answer]})
    with pytest.raises(NonsenseError):
        etcd_view.status(said("a1", raftAppliedIndex="many"))
