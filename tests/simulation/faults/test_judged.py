"""Errors after the restart: the canary that errs goes back, what errs everywhere pauses."""

from __future__ import annotations

import pytest

from gapless.errors import SourceUnavailable
from gapless.testing.fake_rates import Errs
from tests.simulation.faults.errors import BAD, USUAL, Judged
from tests.simulation.faults.shop import HOSTS, Shop

DOWN = SourceUnavailable("connection refused", where="http://prometheus:9090")


def test_a_canary_that_errs_is_caught_within_a_minute(shop: Shop) -> None:
    (old, *_) = shop.live()
    slow = Errs(0.005, requests=1.0)
    judged = Judged(shop, usual=slow)
    judged.errs_with(shop.release("2"), Errs(0.2, requests=1.0, message="500 GET /cart"))
    ended = shop.gapless("deploy", "--yes", code=4)
    (failed,) = shop.events("step.failed")
    assert failed.ts - judged.switched_at("web1") <= 60
    assert failed.data["verdict"]["status"] == "FAIL"
    assert "requests failed" in ended.text
    assert "expected), limit" in ended.text
    assert "× 500 GET /cart" in ended.text
    assert {line.split()[0] for line in shop.changed()} == {"web1"}
    shop.all_serve(old)


def test_a_failure_ends_the_soak(shop: Shop) -> None:
    judged = Judged(shop)
    judged.errs_with(shop.release("2"), BAD)
    shop.gapless("deploy", "--yes", code=4)
    (failed,) = shop.events("step.failed")
    assert failed.step == "soak"
    assert failed.ts - judged.switched_at("web1") < 30


def test_a_message_never_seen_before_that_repeats_is_enough(shop: Shop) -> None:
    judged = Judged(shop, usual=Errs(0.0))
    judged.errs_with(shop.release("2"), Errs(0.3, message="no such table: carts", new=True))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "never seen before" in ended.text
    assert "× no such table: carts" in ended.text


def test_a_good_release_passes_and_the_arithmetic_is_kept(shop: Shop) -> None:
    Judged(shop)
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    passed = shop.events("check.passed")
    told = [e for e in passed if e.step == "verify"]
    assert [event.host for event in told] == list(HOSTS)
    assert all("expected), limit" in event.data["verdict"]["answer"] for event in told)


def at_the_start(judged: Judged, release: str) -> None:
    """The release errs in its first seconds only, and never again."""
    judged.errs_with(release, Errs(20.0, message="cannot reach the database"))

    def over() -> None:
        judged.everywhere(judged.usual)

    judged.shop.at("ready", lambda: judged.shop.loop.call_later(2.0, over))


def test_errors_of_the_first_seconds_are_not_overlooked(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop, usual=Errs(0.02))
    at_the_start(judged, shop.release("2"))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "× cannot reach the database" in ended.text
    shop.all_serve(old)


def test_grace_takes_them_for_the_noise_of_a_start(shop: Shop) -> None:
    judged = Judged(shop, usual=Errs(0.02), keys="grace: 10s")
    new = shop.release("2")
    at_the_start(judged, new)
    shop.gapless("deploy", "--yes", "--hosts", "web1", code=0)
    assert shop.live()[0] == new


def test_errors_of_the_first_seconds_outlive_the_controller(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop, usual=Errs(0.02))
    at_the_start(judged, shop.release("2"))
    shop.kill_at("admit")
    shop.killed("deploy", "--yes")
    judged.another_controller()
    shop.rest(30)
    shop.gapless("resume", code=4)
    shop.all_serve(old)


def burst(shop: Shop, judged: Judged) -> None:
    """Everything errs from the moment web1 is switched."""
    shop.at("ready", lambda: judged.everywhere(BAD))


def test_errors_everywhere_pause_and_blame_nobody(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop)
    burst(shop, judged)
    new = shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=7)
    assert "Paused: web1: environment: errors rise on hosts that were not touched, too" in (
        ended.text
    )
    assert "untouched hosts" in ended.text
    way = f"gapless resume {shop.last().id} or gapless abort {shop.last().id}"
    assert way in ended.text
    assert way in shop.gapless("status", code=0).text
    assert shop.live() == [new, old, old]
    assert shop.serving() == list(HOSTS)
    (held,) = shop.events("instance.held")
    assert (held.host, held.data["reason"]) == ("web1", "environment")
    assert shop.last().exit_code == 7
    assert not shop.events("rollback.started")

    judged.everywhere(USUAL)
    shop.rest(900)
    shop.gapless("resume", code=0)
    shop.all_serve(new)


def test_a_paused_rollout_is_taken_back_by_abort(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop)
    burst(shop, judged)
    shop.release("2")
    shop.gapless("deploy", "--yes", code=7)
    shop.gapless("abort", code=4)
    assert shop.last().outcome == "restored"
    shop.all_serve(old)


def test_a_person_lets_it_go_on_while_everything_errs(shop: Shop) -> None:
    """Before is no measure any more: the untouched hosts are. The release is not the cause."""
    judged = Judged(shop)
    burst(shop, judged)
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=7)
    shop.rest(900)
    shop.gapless("resume", code=0)
    shop.all_serve(new)


def test_a_release_that_errs_while_everything_errs_is_still_caught(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop)
    judged.errs_with(shop.release("2"), Errs(0.9, requests=10.0))
    shop.at("ready", lambda: judged.rates.set(Errs(0.02, requests=10.0), "web2", "web3"))
    shop.gapless("deploy", "--yes", code=4)
    shop.all_serve(old)


@pytest.mark.parametrize(("policy", "code"), [("pass", 0), ("fail", 4), ("pause", 7)])
def test_without_data_the_policy_decides(shop: Shop, policy: str, code: int) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop, keys=f"on_insufficient: {policy}, extend: 60s")
    judged.rates.silent.update(HOSTS)
    new = shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=code)
    assert "no data since the switch" in " ".join(
        [ended.text, *(str(e.data) for e in shop.events("check.inconclusive"))]
    )
    inconclusive = [e for e in shop.events("check.inconclusive") if e.step == "verify"]
    assert inconclusive[0].ts - judged.switched_at("web1") >= 90, "the soak was not extended"
    assert [e for e in shop.events("check.passed") if "logs" in str(e.data)] == []
    if policy == "pause":
        assert [shop.unit(host).version for host in HOSTS] == [new, old, old]
        began = shop.world.wall(shop.loop.time())
        shop.gapless("resume", code=7)
        accepted = next(e.ts for e in shop.events("instance.done") if e.host == "web1")
        assert accepted - began < 30, "a person accepted it, and it was waited for again"
        shop.gapless("resume", code=7)
        ended = shop.gapless("resume", code=0)
        code = 0
    shop.all_serve(new if code == 0 else old)
    said = " ".join(ended.text.split())
    by = {"pass": "let through by on_insufficient: pass", "pause": "accepted by a person"}
    known = f"decided nothing on 3 of 3 instances (web[1:3]), {by.get(policy)}: no data since the"
    assert (known in said) is (code == 0)


def test_a_metrics_server_that_is_down_is_never_a_pass(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop, keys="extend: 30s")
    judged.rates.down = DOWN
    new = shop.release("2")
    ended = shop.gapless("deploy", "--yes", code=7)
    assert "too little data to judge" in ended.text
    assert "no answer: connection refused" in ended.text
    assert [shop.unit(host).version for host in HOSTS] == [new, old, old]
    assert shop.serving() == list(HOSTS)


def test_a_metrics_server_that_comes_back_decides(shop: Shop) -> None:
    judged = Judged(shop)
    judged.rates.down = DOWN
    new = shop.release("2")

    def back() -> None:
        judged.rates.down = None

    shop.at("verify", lambda: shop.loop.call_later(60, back))
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    assert not [e for e in shop.events("check.inconclusive") if e.step == "verify"]


def test_too_little_traffic_extends_the_soak_until_there_is_enough(shop: Shop) -> None:
    judged = Judged(shop, usual=Errs(0.0, requests=0.8), keys="extend: 10m")
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    told = next(e for e in shop.events("check.passed") if e.step == "verify")
    assert told.ts - judged.switched_at("web1") > 60, "30 s of a few requests prove nothing"


@pytest.mark.parametrize("step", ["soak", "verify"])
def test_a_controller_killed_while_it_judges(shop: Shop, step: str) -> None:
    """Baseline and window are those of the journal: the next one asks for the same."""
    judged = Judged(shop)
    new = shop.release("2")
    shop.kill_at(step)
    shop.killed("deploy", "--yes")
    judged.another_controller()
    shop.gapless("resume", code=0)
    shop.all_serve(new)


def test_a_controller_killed_while_a_bad_canary_soaks(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop)
    judged.errs_with(shop.release("2"), BAD)
    shop.kill_at("soak")
    shop.killed("deploy", "--yes")
    judged.another_controller()
    shop.gapless("resume", code=4)
    shop.all_serve(old)


@pytest.mark.parametrize(
    ("controls", "said"),
    [("true", "what came before this controller is not known"), ("false", "baseline unknown")],
)
def test_counters_without_a_history_are_lost_with_the_controller(
    shop: Shop, controls: str, said: str
) -> None:
    """Then nobody knows the first errors of what was changed already: never a pass."""
    judged = Judged(shop, history=False, keys=f"controls: {controls}, extend: 30s")
    judged.errs_with(shop.release("2"), Errs(0.01, requests=10.0))
    shop.kill_at("verify")
    shop.killed("deploy", "--yes")
    judged.another_controller()
    ended = shop.gapless("resume", code=7)
    assert said in ended.text
    assert [e for e in shop.events("check.passed") if "logs" in str(e.data)] == []


def test_counters_without_a_history_are_enough_for_one_controller(shop: Shop) -> None:
    """What is counted from the beginning of the rollout is a baseline, if a short one; for the
    first host the untouched ones are."""
    Judged(shop, history=False)
    new = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    told = next(
        e.data["verdict"]["answer"] for e in shop.events("check.passed") if e.step == "verify"
    )
    assert "on untouched hosts (" in told


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_meanwhile_moves_no_window(shop: Shop, hours: int) -> None:
    """An hour that never was would be an hour without errors."""
    (old, *_) = shop.live()
    judged = Judged(shop, usual=Errs(0.02, requests=10.0))
    judged.errs_with(shop.release("2"), Errs(0.15, requests=10.0))
    shop.at("soak", lambda: shop.loop.call_later(7, lambda: shop.step_clock(3600.0 * hours)))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "requests failed in" in ended.text
    (failed,) = shop.events("step.failed")
    seconds = float(failed.data["what"].split("failed in ")[1].split(" s")[0])
    assert seconds < 60
    shop.all_serve(old)


def test_the_way_back_is_not_judged(shop: Shop) -> None:
    (old, *_) = shop.live()
    judged = Judged(shop)
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    asked = len(judged.rates.asked)
    judged.everywhere(BAD)
    shop.gapless("rollback", "--yes", code=0)
    shop.all_serve(old)
    assert len(judged.rates.asked) == asked


def test_what_is_forced_is_not_judged(shop: Shop) -> None:
    judged = Judged(shop)
    judged.rates.down = DOWN
    new = shop.release("2")
    shop.gapless("deploy", "--yes", "--force", "--reason", "fire", code=0)
    shop.all_serve(new)
    assert judged.rates.asked == []


def test_nothing_new_begins_where_a_person_is_asked(shop: Shop) -> None:
    judged = Judged(shop, keys="extend: 0s")
    judged.rates.silent.update(HOSTS)
    shop.edit("canary: 1, batch: 1", "batch: 2, max_unavailable: 2")
    shop.world.hold_floor("api", least=1)
    shop.release("2")
    shop.gapless("restart", "--yes", code=7)
    assert {line.split()[0] for line in shop.changed()} == {"web1", "web2"}
    assert len(shop.events("instance.held")) == 2
    shop.gapless("abort", code=4)


def test_nothing_new_begins_in_other_services_either(shop: Shop) -> None:
    """Another service waits between its batches; when one of its hosts is done, no other begins."""
    judged = Judged(shop, keys="extend: 0s")
    judged.rates.silent.update(HOSTS)
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + "  jobs: {on: [web1, web2, web3], systemd: jobs.service, soak: 40s}\n")
    for host in HOSTS:
        shop.host(host).add_unit("jobs.service", service="jobs", port=9000).run_already()
    shop.gapless("restart", "--yes", code=7)
    touched = {deed.host for deed in shop.world.deeds("restart", unit="jobs.service")}
    assert touched == {"web1"}
    for _ in range(2):
        shop.gapless("resume", code=7)
    shop.gapless("resume", code=0)
    touched = {deed.host for deed in shop.world.deeds("restart", unit="jobs.service")}
    assert touched == set(HOSTS)


def test_an_abort_while_another_service_goes_on_takes_back_what_waits(shop: Shop) -> None:
    judged = Judged(shop, keys="extend: 0s")
    judged.rates.silent.update(HOSTS)
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + "  jobs: {on: [web1], systemd: jobs.service, soak: 60s}\n")
    shop.host("web1").add_unit("jobs.service", service="jobs", port=9000).run_already()

    def abort() -> None:
        shop.journal().request(shop.last().id, "abort", "somebody", shop.world.clock.now())

    shop.at("snapshot", lambda: shop.loop.call_later(45, abort))
    shop.gapless("restart", "--yes", code=4)
    assert shop.events("instance.held")
    (back,) = (e for e in shop.events("instance.failed") if e.service == "api")
    assert back.data["outcome"] == "restored"
    assert shop.serving() == list(HOSTS)
    assert shop.journal().locks() == []


def test_an_instance_that_waits_for_a_person_serves_and_lets_the_next_of_its_batch_out(
    shop: Shop,
) -> None:
    """web3 became sick after the plan was made: of two at a time only one may be out."""
    judged = Judged(shop, keys="extend: 0s")
    judged.rates.silent.update(HOSTS)
    shop.edit("canary: 1, batch: 1", "batch: 2, max_unavailable: 2")
    shop.gapless("plan", "restart", "--hosts", "web1,web2", "-o", "saved.json", code=0)
    shop.unit("web3").healthy = False
    shop.gapless("restart", "saved.json", "--yes", code=7)
    assert {line.split()[0] for line in shop.changed()} == {"web1", "web2"}
    assert len(shop.events("instance.held")) == 2
