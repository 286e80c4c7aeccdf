"""From events to outcome, exit code and hosts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gapless.events.event import Event
from gapless.render.result import render_report
from gapless.report.outcome import EXIT_CODES, Outcome, parse_outcome
from gapless.report.report import Report
from gapless.report.summarize import summarize
from tests.unit.render import streams

MAKERS = {
    name: getattr(streams, name)
    for name in (
        "success",
        "unjudged",
        "not_ready",
        "lost_contact",
        "rollback_failed",
        "paused",
        "interrupted",
    )
}


@pytest.mark.parametrize("name", MAKERS)
def test_json_there_and_back(name: str) -> None:
    report = summarize(streams.shop_plan(), MAKERS[name]())
    data = json.loads(json.dumps(report.to_json()))
    assert data["exit_code"] == report.exit_code
    assert Report.from_json(data) == report


def test_exit_codes_are_those_of_the_design() -> None:
    assert sorted(set(EXIT_CODES.values())) == [0, 3, 4, 5, 6, 7, 130]
    assert set(EXIT_CODES) == set(Outcome)


@pytest.mark.parametrize("text", ["lock_held", "LOCK_HELD", "lock held", "lock-held"])
def test_outcomes_are_read_however_spelled(text: str) -> None:
    assert parse_outcome(text) is Outcome.LOCK_HELD


def test_unknown_outcomes_are_not_guessed() -> None:
    assert parse_outcome("fine") is None


def test_never_zero_after_a_rollback_whatever_is_claimed() -> None:
    stream = streams.Stream().begin().add("step.failed", "api", "web1", "ready", what="x")
    stream.add("rollback.started", "api", "web1", hosts=["web1"])
    stream.add("rollback.succeeded", "api", "web1", restored="v41")
    report = summarize(None, stream.end("rollout.succeeded", "done", 0))
    assert report.exit_code != 0


def test_a_rollback_rollout_that_went_well_is_done() -> None:
    stream = streams.Stream().begin("rollback").steps("api", "web1", "switch", "ready", "commit")
    report = summarize(None, stream.end("rollout.succeeded", "done", 0))
    assert report.outcome is Outcome.DONE


def test_a_stream_that_just_stops_was_interrupted() -> None:
    assert summarize(None, streams.Stream().begin().events).outcome is Outcome.INTERRUPTED


def test_a_resumed_rollout_is_judged_by_its_new_end() -> None:
    events = [*streams.paused(), Event("rollout.resumed", "rtouehn-7f3a", ts=streams.T0 + 900)]
    assert summarize(None, events).outcome is Outcome.INTERRUPTED


def test_hosts_are_sorted_by_what_happened_to_them() -> None:
    report = summarize(streams.shop_plan(), streams.rollback_failed())
    api = next(service for service in report.services if service.name == "shop.api")
    assert (api.done, api.failed, api.restored) == (("web1", "web2"), ("web3",), ())
    assert (api.waiting, api.untouched) == (("web4",), ("web5",))
    assert api.untouched_why == f"already on {streams.NEW}"


def test_a_failure_before_the_switch_leaves_the_instance_unchanged() -> None:
    report = summarize(streams.shop_plan(), streams.migration_failed())
    api = next(service for service in report.services if service.name == "shop.api")
    assert (api.kept, api.failed, api.restored) == (("web1",), (), ())


def test_each_failure_is_told_once() -> None:
    """step.failed, migration.failed and the record of the instance are one failure."""
    for make in (streams.migration_failed, streams.not_ready, streams.rollback_failed):
        assert len(summarize(streams.shop_plan(), make()).failures) == 1


def test_what_decided_nothing_and_was_let_through_is_in_the_report() -> None:
    report = summarize(streams.shop_plan(), streams.unjudged())
    told = [(u.service, u.host, u.source, u.accepted) for u in report.unjudged]
    assert told == [
        ("shop.api", "web1", "balancer edge", False),
        ("shop.api", "web2", "balancer edge", False),
        ("shop.api", "web3", "balancer edge", False),
        ("shop.api", "web4", "logs", True),
    ], "once each, though web4 was judged twice"
    assert report.unjudged[0].why.startswith("too little data: 0 of 3 requests failed in 60 s")
    assert report.to_json()["unjudged"][3]["why"] == "no data since the switch"
    assert report.outcome is Outcome.DONE


def test_what_still_waits_for_a_person_was_not_let_through() -> None:
    events = streams.unjudged()
    held = next(n for n, event in enumerate(events) if event.type == "instance.held")
    report = summarize(streams.shop_plan(), events[: held + 1])
    assert [u.host for u in report.unjudged] == ["web1", "web2", "web3"]


def test_what_went_back_is_not_told_as_unjudged() -> None:
    stream = streams.Stream(events=streams.unjudged()[:-2])
    stream.restored("web1").lost("web2", {"what": "x"})
    report = summarize(streams.shop_plan(), stream.events)
    assert [u.host for u in report.unjudged] == ["web3", "web4"]


def test_a_linked_rollback_marks_its_instances_restored() -> None:
    report = summarize(streams.shop_plan(), streams.not_ready())
    assert {(u.host, u.ok, u.restored) for u in report.undone} == {
        ("web1", True, streams.OLD), ("web2", True, streams.OLD), ("web3", True, streams.OLD),
    }  # fmt: skip


def test_a_linked_rollback_that_failed_on_one_host() -> None:
    stream = streams.Stream().begin().canary().add("rollback.started", hosts=["shop.api@web1"])
    child: dict[str, Any] = {"rollout_": "rtouehn-7f3a-undo1"}
    error = {"what": "dead"}
    stream.add("instance.failed", "shop.api", "web1", outcome="broken", error=error, **child)
    stream.add("rollback.failed", hosts=["shop.api@web1"], **child)
    report = summarize(None, stream.end("rollout.failed", "mixed", 5))
    assert [(u.host, u.ok, u.what) for u in report.undone] == [("web1", False, "dead")]


def test_the_end_of_a_linked_rollback_is_not_the_end() -> None:
    stream = streams.Stream().begin()
    stream.add("rollout.succeeded", rollout_="rtouehn-7f3a-undo1", outcome="done")
    assert summarize(None, stream.events).outcome is Outcome.INTERRUPTED


def test_what_a_person_cancelled_is_no_failure() -> None:
    stream = streams.Stream().begin().steps("api", "web1", "stage")
    error = {"kind": "cancelled", "what": "the undo was asked for"}
    stream.add("instance.failed", "api", "web1", outcome="untouched", error=error)
    assert summarize(None, stream.events).failures == ()


def test_unknown_events_and_missing_data_change_nothing() -> None:
    events = [
        Event("future.thing", "r"),
        *(Event(t, "r") for t in ("step.failed", "prove.reading")),
    ]
    assert summarize(None, events).failures[0].what == "failed"


def test_what_failed_before_a_pause_is_told_with_its_time() -> None:
    """What was refused a minute ago may be up again: a report says when it was so."""
    stream = streams.Stream().begin()
    error = {"code": "GL-502", "what": "cannot connect to web1: Connection refused"}
    stream.add("instance.failed", "shop.api", "web1", outcome="lost", error=error)
    stream.add("rollout.paused", reason="web2: too little data to judge", outcome="paused")
    screen = " ".join(render_report(summarize(None, stream.events)).split())
    assert "Connection refused GL-502" in screen
    stream.after(90).add("rollout.resumed")
    stream.add("rollout.failed", outcome="mixed", exit_code=5)
    report = summarize(None, stream.events)
    assert report.failures[0].past
    screen = render_report(report, width=140)
    assert re.search(r"Connection refused \(at \d\d:\d\d:\d\d, before it went on\)", screen)
