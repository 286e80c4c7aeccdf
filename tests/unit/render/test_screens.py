"""Every ending of a rollout, and plans, as a person sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gapless.errors import ConfigError, LockHeld, Problem, StalePlan
from gapless.events.event import Event
from gapless.plans import NOT_ASKED_FOR, Batch, ServicePlan, StepKind, Untouched, Verb
from gapless.render import failure
from gapless.render.error import error_json, render_error
from gapless.render.moments import sentence
from gapless.render.plan import render_plan
from gapless.render.result import render_report
from gapless.report.outcome import Outcome
from gapless.report.summarize import summarize
from tests.unit.render import goldens, streams

ENDINGS = {
    "success": (streams.success, Outcome.DONE),
    "not_ready": (streams.not_ready, Outcome.RESTORED),
    "crash_in_soak": (streams.crash_in_soak, Outcome.RESTORED),
    "action_failed": (streams.action_failed, Outcome.RESTORED),
    "migration_failed": (streams.migration_failed, Outcome.RESTORED),
    "lost_contact": (streams.lost_contact, Outcome.MIXED),
    "rollback_failed": (streams.rollback_failed, Outcome.MIXED),
    "refused_preflight": (streams.refused_preflight, Outcome.REFUSED),
    "refused_unreachable": (streams.refused_unreachable, Outcome.REFUSED),
    "lock_held": (streams.lock_held, Outcome.LOCK_HELD),
    "interrupted": (streams.interrupted, Outcome.INTERRUPTED),
    "paused": (streams.paused, Outcome.PAUSED),
    "environment": (streams.environment, Outcome.PAUSED),
    "approval": (streams.waits_for_approval, Outcome.PAUSED),
    "forced": (streams.forced, Outcome.DONE),
    "unjudged": (streams.unjudged, Outcome.DONE),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_ending(name: str) -> None:
    make, outcome = ENDINGS[name]
    plan = streams.shop_plan()
    if name == "forced":
        plan = replace(plan, services=plan.services[:1], untouched=())
    report = summarize(plan, make())
    assert report.outcome is outcome
    goldens.check(name, render_report(report))


@pytest.mark.parametrize("name", ["not_ready", "success", "rollback_failed"])
def test_the_stream_alone_is_enough_for_a_watcher(name: str) -> None:
    make, outcome = ENDINGS[name]
    report = summarize(None, make())
    assert report.outcome is outcome
    text = render_report(report)
    full = render_report(summarize(streams.shop_plan(), make()))
    assert text.splitlines()[0] == full.splitlines()[0]


def test_a_plan_shows_its_groups_and_where_it_waits() -> None:
    api = streams.shop_plan().services[1]
    batches = (
        Batch("canary1", ("web9",)),
        Batch("canary2", ("web1",), "eqiad"),
        Batch("batch1", ("web2", "web3"), "eqiad", approve=True),
        *(Batch(f"batch{n}", (f"mw{n}", f"mw{n + 10}"), "codfw") for n in range(2, 10)),
        Batch("batch10", ("mw20",), "codfw", wait=600.0),
        Batch("batch11", ("db1",)),
    )
    plan = streams.shop_plan(services=(replace(api, batches=batches, after=(), wave=1),))
    goldens.check("plan_groups", render_plan(plan))


def test_each_host_that_was_left_alone_is_told_with_its_own_reason() -> None:
    lefts = [("web5", "already on 3c9a41d05b7e"), ("web6", NOT_ASKED_FOR), ("web7", "unreachable")]
    untouched = tuple(Untouched("shop.api", (host,), why) for host, why in lefts)
    plan = replace(streams.shop_plan(), untouched=untouched)
    report = summarize(plan, streams.waits_for_approval())
    text = " ".join(render_report(report).split())
    for host, why in lefts:
        assert f"{host}: {why}" in text
    (api,) = (service for service in report.services if service.name == "shop.api")
    why = "shop.api waits for approval: canaries is done, eqiad is next"
    assert api.left == {**dict.fromkeys(("web2", "web3", "web4"), why), **dict(lefts)}
    assert report.to_json()["services"][1]["left"] == dict(api.left)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("refused_preflight", "nothing was changed: the rollout was refused"),
        ("lock_held", "nothing was changed: another rollout owns the service"),
    ],
)
def test_what_a_refusal_left_alone_is_in_the_report(name: str, why: str) -> None:
    report = summarize(streams.shop_plan(), ENDINGS[name][0]())
    (api,) = (service for service in report.services if service.name == "shop.api")
    left = {host for host, text in api.left.items() if text == why}
    assert left == set(api.waiting) != set()


def test_verbose_shows_the_whole_log() -> None:
    report = summarize(streams.shop_plan(), streams.not_ready())
    text = render_report(report, verbose=True)
    assert "loading module 1 of 18" in text
    assert "earlier" not in text


def test_lines_of_journalctl_bear_the_time_alone_so_that_the_end_is_seen() -> None:
    said = "systemd[1]: shop-api.service: Main process exited, code=exited, status=3/NOTIMPL"
    own = "2026-11-21T12:00:31+0000 INFO its own time: it stays"
    lines = (
        f"2026-11-21T12:00:31+0000 web3.shop.example {said}",
        f"2026-11-21T12:00:31+00:00 web3 {said}",
        own,
    )
    first, second, third = failure.log(lines, False)
    assert first == f"   log     12:00:31 {said}"
    assert second.strip() == f"12:00:31 {said}"
    assert third.strip() == own
    assert lines[0] in failure.log(lines, True)[0]


def test_what_is_not_shown_of_a_log_is_named_with_the_command_that_shows_it() -> None:
    report = summarize(streams.shop_plan(), streams.not_ready())
    assert f"(15 earlier: gapless history {report.rollout})" in render_report(report)


def test_manual_commands_are_never_wrapped() -> None:
    report = summarize(streams.shop_plan(), streams.rollback_failed())
    text = render_report(report, width=40)
    assert streams.KEPT in text
    assert streams.KEPT in report.manual


def test_sinks_that_missed_something_are_told() -> None:
    report = summarize(streams.shop_plan(), streams.success(), ("webhook x: 3 events wait",))
    assert render_report(report).splitlines()[-1] == "   events  webhook x: 3 events wait"


def test_a_plan_that_installs_says_what_is_not_there_yet() -> None:
    service = replace(
        streams.shop_plan().services[1],
        installs=("web1", "web2", "web3"),
        notes=("shop.api: installs shop-api.service (not on web1, web2, web3 yet)",),
    )
    goldens.check("plan_installs", render_plan(streams.shop_plan(services=(service,))))
    new = replace(service, installs=("web1", "web2", "web3", "web4", "web5"))
    text = render_plan(streams.shop_plan(services=(new,)))
    assert "at any moment shop.api is not installed yet" in " ".join(text.split())
    assert " serve" not in text


def test_nothing_to_do() -> None:
    plan = streams.shop_plan(services=())
    goldens.check("nothing_to_do", render_report(summarize(plan, ())))


def test_a_plan_that_takes_a_first_install_back_leaves_nothing() -> None:
    plan = streams.rollback_plan()
    (api,) = plan.services
    gone = {"runtime": {"facts": {"absent": "yes"}}}
    api = replace(
        api, batches=(Batch("batch1", ("web1", "web2")),), total=2, floor=0,
        snapshots={"web1": gone, "web2": gone},
    )  # fmt: skip
    text = " ".join(render_plan(replace(plan, services=(api,))).split())
    assert "removed, as it was not there before, none is left" in text
    assert "shop.api is removed for good" in text
    assert "while being replaced" not in text
    assert "none kept serving" not in text


def test_what_is_left_out_is_told_in_the_order_of_its_hosts() -> None:
    stream = streams.Stream().begin()
    for host in ("web10", "web3", "web1", "web2"):
        stream.add("instance.left_out", "shop.api", host, "admit", balancer="edge")
    text = render_report(summarize(None, stream.end("rollout.succeeded", "done", 0)))
    told = [line.split(" on ")[1].split()[0] for line in text.splitlines() if " on web" in line]
    assert told == ["web1", "web2", "web3", "web10"]


def test_what_a_host_says_cannot_drive_the_terminal() -> None:
    event = Event(
        "step.failed", "rtouehn-7f3a", "api", "web1", "ready",
        data={"what": "\x1b[2J bad", "log": "a\x1b]0;title\x07b", "code": "GL-402"},
    )  # fmt: skip
    text = render_report(summarize(None, [event]))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_the_same_failure_on_many_hosts_is_told_once() -> None:
    stream = streams.Stream().begin()
    for number in range(1, 31):
        stream.add("step.failed", "shop.api", f"web{number}", "ready", **streams.NOT_READY)
    events = stream.end("rollout.failed", "mixed", 5)
    text = render_report(summarize(None, events))
    assert text.count("GL-402") == 1
    assert "shop.api on web[1:30]: not ready after 30 s" in text


def test_plan() -> None:
    goldens.check("plan", render_plan(streams.shop_plan()))


def test_plan_of_a_rollback() -> None:
    goldens.check("plan_rollback", render_plan(streams.rollback_plan()))


def test_plan_verbose() -> None:
    goldens.check("plan_verbose", render_plan(streams.shop_plan(), verbose=True))


def test_plan_forced_offline_with_limits() -> None:
    plan = streams.shop_plan(
        force="health endpoint is broken", observed=False, deadline=1800.0,
        environment="production",
    )  # fmt: skip
    services = tuple(replace(s, max_failed=2, on_failure="pause") for s in plan.services)
    goldens.check("plan_forced", render_plan(replace(plan, services=services)))


def test_plan_of_a_big_fleet_stays_on_one_screen() -> None:
    batches = tuple(
        Batch(
            f"batch {n + 1}", tuple(f"web{h:04d}.dc1.example" for h in range(n * 25, n * 25 + 25))
        )
        for n in range(400)
    )
    service = ServicePlan(
        "edge.cache", 1, (), streams.STEPS, batches, 10_000, 9_900, 50, "stop", 0.0, 35.0
    )
    text = render_plan(streams.shop_plan(services=(service,), untouched=(), expected=14_000.0))
    assert len(text.splitlines()) < 24
    goldens.check("plan_big", text)


def test_plan_with_nothing_to_do() -> None:
    goldens.check("plan_nothing", render_plan(streams.shop_plan(services=(), untouched=())))


def _config_error() -> ConfigError:
    return ConfigError(
        (
            Problem("gapless.yaml", 14, 5, "unknown key 'healt'", "did you mean 'health'?"),
            Problem("gapless.yaml", 22, 14, "a duration needs a unit, for example 30s"),
            Problem("gapless.yaml", 31, 3, "cycle: shop.api → shop.auth → shop.api"),
        )
    )


ERRORS: dict[str, Any] = {
    "config_errors": _config_error(),
    "stale_plan": StalePlan(
        "the world moved since this plan was made 12 min ago",
        where="shop.api@web2",
        evidence="shop-api.service: fingerprint 1f00… was 9ab3… when it was planned",
        next="gapless plan -o plan.json, read it, then gapless deploy plan.json",
    ),
    "error_lock_held": LockHeld(
        "shop.api is owned by rollout rtoudvw-6e21",
        evidence="bob on deploy1, pid 4711, alive, since 11:52:40: hotfix",
        next="gapless watch rtoudvw-6e21",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str) -> None:
    goldens.check(name, render_error(ERRORS[name]))


def test_errors_for_programs_name_every_problem() -> None:
    data: Any = error_json(_config_error())
    assert data["exit_code"] == 2
    assert [p["line"] for p in data["error"]["problems"]] == [14, 22, 31]


def test_services_nobody_asked_for_go_without_saying() -> None:
    plan = streams.shop_plan(
        untouched=(
            Untouched("shop.store", ("db2",), NOT_ASKED_FOR),
            Untouched("shop.api", ("web5",), NOT_ASKED_FOR),
        )
    )
    text = render_report(summarize(plan, streams.success()))
    assert "shop.store" not in text
    assert "shop.api  web5: not asked for" in text


def test_a_line_break_in_a_name_is_told_on_one_line() -> None:
    error = ConfigError((Problem("a.yaml", 1, 1, "'x\ny' cannot be the name of a service"),))
    assert "a.yaml:1:1: 'x\\ny' cannot be the name of a service" in render_error(error)


def test_a_plan_is_wrapped_and_loses_nothing() -> None:
    text = render_plan(streams.shop_plan(), verbose=True, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "about 42 s each" in " ".join(text.split())


def test_failed_requests_are_no_plain_success() -> None:
    events = streams.success()
    failures = [{"at": 1.0, "what": "Connection refused"}] * 5
    data = {**streams.GAP, "failed": 38, "first_failures": failures}
    events = [
        replace(event, data=data) if event.type.startswith("prove.") else event for event in events
    ]
    report = summarize(streams.shop_plan(), events)
    text = render_report(report)
    assert report.exit_code == 0
    assert text.startswith("!  Deployed shop.postgresql, shop.api: 5 instances")
    assert "but 38 requests failed" in " ".join(text.split())
    assert text.count("Connection refused") == 3
    assert "and 35 more" in text


def test_a_restart_promises_no_way_back() -> None:
    text = " ".join(render_plan(streams.shop_plan(verb=Verb.RESTART)).split())
    assert "goes back" not in text
    assert "what is restarted already has nothing to undo" in text


def test_a_flip_is_promised_to_serve_where_nothing_takes_it_out() -> None:
    """Not behind a balancer, which lets it out of traffic; and forced, only if it runs."""
    plan = streams.shop_plan(verb=Verb.RESTART)
    api = replace(plan.services[1], steps=(StepKind.SWITCH, StepKind.READY))
    definitions = {"project": {"services": {"shop.api": {"process": {"command": ["x"]}}}}}
    flips = replace(plan, services=(api,), definitions=definitions)
    text = " ".join(render_plan(flips).split())
    assert "serves all the while, about 42 s each" in text
    assert "at any moment all of shop.api serves" in text
    assert "its old copy serves on" in text

    text = " ".join(render_plan(replace(flips, force="it died")).split())
    assert "serves all the while if it runs" in text
    assert "at any moment what runs of shop.api serves" in text

    drained = replace(api, steps=(StepKind.DRAIN, *api.steps))
    text = " ".join(render_plan(replace(flips, services=(drained,))).split())
    assert "all the while" not in text
    assert "at least 3 of 5 shop.api serve" in text
    assert "its old copy serves on" in text


def test_a_ready_that_asked_nothing_is_not_called_ready() -> None:
    event = Event(
        "step.succeeded", "r", "api", "web1", step="ready", data={"seconds": 0.006, "asked": False}
    )
    assert sentence(event) == "web1 api  running (no health asked) in 6 ms"


def test_in_a_crash_loop_the_last_words_of_the_program_are_shown() -> None:
    loop = (
        "2026-11-21T21:21:03+0000 h1 systemd[1]: Started shop-api.service - shop api.",
        "2026-11-21T21:21:04+0000 h1 python3[2587]: cannot open /srv/x: no such file",
        "2026-11-21T21:21:04+0000 h1 systemd[1]: shop-api.service: Failed with result 'exit-code'.",
        "2026-11-21T21:21:06+0000 h1 systemd[1]: shop-api.service: Scheduled restart job.",
        "2026-11-21T21:21:06+0000 h1 systemd[1]: Stopped shop-api.service - shop api.",
    )
    shown = [" ".join(line.split()) for line in failure.log(loop * 2 + loop[2:], verbose=False)]
    assert sum("cannot open /srv/x" in line for line in shown) == 2
    assert "Stopped" in shown[-2]
    assert "(8 more: -v)" in shown[-1]
    assert len(failure.log(loop * 2, verbose=True)) == 10
    alone = failure.log(tuple(f"line {number}" for number in range(9)), verbose=False)
    assert "line 4" in alone[0]
    assert "(4 earlier: -v)" in alone[-1]
