"""Instances drained and admitted by hand: under the same floor, locks and gates as in a rollout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gapless.drivers.balancers.base import MemberState
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from gapless.model import Instance
from gapless.testing.fake_traffic import Traffic
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.faults import Fault, What, When
from tests.simulation.faults.pool import Pool
from tests.simulation.faults.shop import CONFIG, Shop
from tests.simulation.killing import ControllerKilled

pytestmark = pytest.mark.real

LOOSE = "{canary: 0, batch: 1, max_unavailable: 2}"


def loose(shop: Shop) -> None:
    """Two of three may be out."""
    shop.world._hooks.clear()
    shop.world.on_change(shop._note_lost)
    shop.edit("{canary: 1, batch: 1}", LOOSE)


def test_drained_by_hand_stays_out_until_admitted(shop: Shop) -> None:
    ended = shop.gapless("drain", "api@web3", "--reason", "new disk", code=0)
    assert "✓ Drained api: 1 instance" in ended.text
    assert "now api out of traffic: web3" in ended.text
    assert "web3 api out of traffic (counted)" in ended.text
    assert shop.serving() == ["web1", "web2"] and shop.changed() == []
    assert shop.last().verb == "drain" and shop.last().reason == "new disk"
    [confirmed] = shop.events("drain.confirmed")
    assert confirmed.host == "web3" and confirmed.data["evidence"] == "COUNTED"
    assert confirmed.actor == shop.last().actor != ""
    ended = shop.gapless("admit", "api@web3", code=0)
    assert "✓ Admitted api: 1 instance" in ended.text
    assert "now api in traffic: web3" in ended.text
    assert shop.serving() == ["web1", "web2", "web3"] and shop.lost == []
    assert shop.journal().locks() == []
    shop.gapless("restart", "api", "--yes", code=0)


def test_a_later_rollout_leaves_it_out_and_says_who_wants_it_so(shop: Shop) -> None:
    loose(shop)
    shop.gapless("drain", "web3", "--reason", "new disk", code=0)
    name = shop.release("2")
    ended = shop.gapless("deploy", "api", "--yes", code=0)
    assert "api on web3 is left out of edge" in ended.text
    assert "drained it by hand: new disk" in ended.text
    assert "$ gapless admit api@web3" in ended.text
    assert shop.live() == [name] * 3
    assert shop.serving() == ["web1", "web2"]
    [left] = shop.events("instance.left_out")
    assert left.host == "web3" and left.data["next"] == "gapless admit api@web3"
    shop.gapless("admit", "api@web3", code=0)
    shop.all_serve(name)


def test_a_balancer_that_forgot_the_drain_lets_nothing_in_after_a_rollout(shop: Shop) -> None:
    """It was restarted: the host knows what the balancer lost."""
    loose(shop)
    shop.gapless("drain", "api@web3", code=0)
    traffic = shop.world.traffic["edge"]
    traffic.put_back(Instance("api", "web3"))
    shop.gapless("restart", "api", "--yes", code=0)
    assert shop.serving() == ["web1", "web2"]


def test_it_counts_as_out_for_the_floor_of_a_rollout(shop: Shop) -> None:
    shop.gapless("drain", "api@web3", code=0)
    ended = shop.gapless("restart", "api", "--hosts", "web1", "--yes", code=3)
    assert "would leave 1 of 3 instances of api; the floor is 2" in ended.text
    assert "web3" in ended.text
    assert shop.serving() == ["web1", "web2"] and shop.changed() == []


def _forgotten(shop: Shop, *hosts: str) -> None:
    """Drained by hand, and the balancer was restarted since."""
    for host in hosts:
        shop.world._hooks.clear()
        shop.gapless("drain", f"api@{host}", "--reason", "new disk", code=0)
        shop.world.traffic["edge"].put_back(Instance("api", host))


def test_a_refusal_says_who_drained_what_the_balancer_forgot(shop: Shop) -> None:
    _forgotten(shop, "web2")
    shop.release("2")
    ended = shop.gapless("deploy", "api", "--yes", code=3)
    who = shop.last().actor
    assert f"drained by hand: web2 (by {who}, new disk)" in ended.text
    assert "broken or unreachable" not in ended.text and "mend" not in ended.text
    assert "gapless admit api@web2" in ended.text
    assert shop.changed() == []


def test_a_drain_that_is_one_too_many_says_who_drained_the_others(shop: Shop) -> None:
    shop.edit("{canary: 1, batch: 1}", LOOSE)
    _forgotten(shop, "web1", "web2")
    ended = shop.gapless("drain", "api@web3", code=3)
    who = shop.last().actor
    assert f"drained by hand: web1 (by {who}, new disk); web2 (by {who}, new disk)" in ended.text
    assert "gapless admit api@web1 api@web2" in ended.text
    assert "broken or unreachable" not in ended.text


def test_a_refusal_keeps_the_broken_apart_from_the_drained(shop: Shop) -> None:
    shop.edit("{canary: 1, batch: 1}", LOOSE)
    _forgotten(shop, "web1")
    shop.unit("web2").healthy = False
    ended = shop.gapless("restart", "api", "--hosts", "web3", "--yes", code=3)
    assert "drained by hand: web1 (by" in ended.text
    assert "broken or unreachable: web2" in ended.text
    assert "gapless admit api@web1; mend what is broken first" in ended.text


def test_a_second_drain_keeps_who_was_first_and_why(shop: Shop) -> None:
    shop.gapless("drain", "api@web3", "--reason", "new disk", code=0)
    who = shop.last().actor
    ended = shop.gapless("drain", "api@web3", code=0)
    assert f"already drained by {who} since" in ended.text and ": new disk" in ended.text
    assert "$ gapless admit api@web3" in ended.text
    [row] = [r for r in _status(shop) if r["by_hand"]]
    assert (row["host"], row["by_hand"]["reason"]) == ("web3", "new disk")
    assert shop.serving() == ["web1", "web2"]
    shop.gapless("admit", "api@web3", code=0)
    assert not any(r["by_hand"] for r in _status(shop))


def _status(shop: Shop) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(shop.gapless("status", "--json", code=0).out)
    return rows


def test_the_plan_says_who_stays_out(shop: Shop) -> None:
    loose(shop)
    shop.gapless("drain", "api@web3", "--reason", "new disk", code=0)
    shop.release("2")
    who = shop.last().actor
    told = f"web3 stays out of traffic, drained by hand (by {who}, new disk);"
    for verb in ("deploy", "restart"):
        ended = shop.gapless("plan", verb, "api", code=0)
        assert told in ended.text and "gapless admit api@web3" in ended.text
        assert "Refused as things are" not in ended.text
    ended = shop.gapless("deploy", "api", "--yes", code=0)
    assert "web3 api left out of traffic on purpose" in ended.text
    assert "web3 api back in traffic" not in ended.text
    shop.gapless("admit", "api@web3", code=0)
    assert "stays out" not in shop.gapless("plan", "restart", "api", code=0).text


@pytest.mark.parametrize("host", ["web1", "web3"])
def test_the_plan_says_that_the_floor_has_no_room_beside_it(shop: Shop, host: str) -> None:
    """It is restarted, too, and makes no room by that."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1}")
    shop.gapless("drain", f"api@{host}", code=0)
    ended = shop.gapless("plan", "restart", "api", code=0)
    assert "Refused as things are" in ended.text
    shop.gapless("restart", "api", "--yes", code=3)


def _one_serves(shop: Shop) -> list[str]:
    """Moments from now on at which nobody got traffic and answered it."""
    gaps: list[str] = []
    shop.world._hooks.clear()
    shop.world.on_change(lambda world: None if shop.serving() else gaps.append("nobody serves"))
    return gaps


@pytest.mark.parametrize("hosts", ["web1,web2", "web1,web2,web3"])
def test_a_resumed_rollout_still_counts_it_as_out(shop: Shop, hosts: str) -> None:
    """The floor is counted anew: web3 is fit, and clients do not reach it."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 2, max_unavailable: 2}")
    shop.gapless("drain", "api@web3", code=0)
    name = shop.release("2")
    shop.kill_at("preflight")
    shop.killed("deploy", "api", "--hosts", hosts, "--yes")
    shop.rest()
    gaps = _one_serves(shop)
    shop.gapless("resume", shop.last().id, code=0)
    assert gaps == []
    assert shop.live()[:2] == [name] * 2
    assert shop.serving() == ["web1", "web2"]


@pytest.mark.parametrize("killed", [False, True])
def test_one_that_was_taken_back_still_counts_as_out(shop: Shop, killed: bool) -> None:
    """web1 is drained by hand, fails the release and is restored: it serves no more than before."""
    groups = "groups: [{group: web1, batch: 1}]"
    shop.edit("{canary: 1, batch: 1}", f"{{batch: 2, max_unavailable: 2, max_failed: 1, {groups}}}")
    shop.gapless("drain", "api@web1", code=0)
    name = shop.release("2")
    shop.unit("web1").behaviours[name] = NEVER_READY
    gaps = _one_serves(shop)
    if killed:
        _kill_at_batch(shop, "batch2")
        shop.killed("deploy", "api", "--yes")
        shop.rest()
        gaps = _one_serves(shop)
        shop.gapless("resume", shop.last().id, code=5)
    else:
        shop.gapless("deploy", "api", "--yes", code=5)
    assert gaps == []
    assert shop.live()[1:] == [name] * 2
    assert shop.serving() == ["web2", "web3"]


def _kill_at_batch(shop: Shop, batch: str) -> None:
    append = SqliteJournal.append

    def mortal(journal: SqliteJournal, event: Event) -> Event:
        if event.type == "batch.started" and event.data["batch"] == batch:
            shop.kill()
            raise ControllerKilled
        return append(journal, event)

    shop.patch.setattr(SqliteJournal, "append", mortal)


def test_a_floor_that_it_will_leave_no_room_above_refuses_before_the_first_change(
    shop: Shop,
) -> None:
    """It is replaced, too, and stays out: nobody else could go."""
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1}")
    shop.gapless("drain", "api@web1", code=0)
    shop.release("2")
    ended = shop.gapless("deploy", "api", "--yes", code=3)
    assert "taking web2 out would leave 1 of 3 instances of api; the floor is 2" in ended.text
    assert shop.changed() == [] and shop.serving() == ["web2", "web3"]


def test_the_floor_is_checked_before_anything_goes_out(shop: Shop) -> None:
    ended = shop.gapless("drain", "api@web[2:3]", code=3)
    assert "taking web3 out would leave 1 of 3 instances of api; the floor is 2" in ended.text
    assert "Nothing was changed." in ended.out
    assert shop.world.deeds("drain") == []
    shop.gapless("drain", "api@web2", code=0)
    shop.gapless("drain", "api@web3", code=3)
    assert shop.serving() == ["web1", "web3"]


def test_the_balancers_own_count_holds_the_floor_too(shop: Shop) -> None:
    """web2 is fit, and somebody else has it out of traffic."""
    shop.world._hooks.clear()
    shop.world.traffic["edge"].take_out(Instance("api", "web2"))
    ended = shop.gapless("drain", "api@web3", code=4)
    assert "edge reports 1 of the other instances up; the floor is 2" in ended.text
    assert shop.serving() == ["web1", "web3"]


def test_what_is_sick_or_gone_may_go_out(shop: Shop) -> None:
    shop.world._hooks.clear()
    shop.unit("web3").healthy = False
    shop.gapless("drain", "api@web3", code=0)
    shop.gapless("admit", "api@web3", code=3)
    shop.unit("web3").healthy = True
    shop.gapless("admit", "api@web3", code=0)
    shop.host("web3").power_off()
    shop.gapless("drain", "api@web3", code=0)
    assert shop.world.deeds("drain")[-1].host == "web3"


def test_what_fails_its_checks_is_not_admitted_without_force(shop: Shop) -> None:
    shop.world._hooks.clear()
    shop.gapless("drain", "api@web3", code=0)
    shop.unit("web3").behaviour = NEVER_READY
    shop.unit("web3").healthy = False
    ended = shop.gapless("admit", "api@web3", code=3)
    assert "api on web3 is not fit to be touched" in ended.text
    assert 'gapless admit api --hosts web3 --force --reason "..."' in ended.text
    assert "--force skips health gates and needs --reason" in (
        shop.gapless("admit", "api@web3", "--force", code=2).text
    )
    assert shop.world.deeds("admit") == []
    # the balancer's own check is no gate of ours: it says no as well, and what failed is out again
    ended = shop.gapless("admit", "api@web3", "--force", "--reason", "I know", code=4)
    assert "does not report api@web3 up" in ended.text
    assert shop.serving() == ["web1", "web2"]
    shop.unit("web3").healthy = True
    ended = shop.gapless("admit", "api@web3", "--force", "--reason", "I know", code=0)
    assert "forced health gates were skipped: I know" in ended.text
    assert shop.serving() == ["web1", "web2", "web3"]


def test_an_admit_that_fails_in_one_balancer_is_taken_back_in_the_other(shop: Shop) -> None:
    shop.do(_second_balancer(shop))
    shop.gapless("drain", "api@web3", code=0)
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="admit", host="balancer:inner"))
    ended = shop.gapless("admit", "api@web3", code=4)
    assert "gapless admit api@web3" in ended.text
    told = [(deed.what, deed.unit) for deed in shop.world.deeds("drain", "admit")]
    assert told[-2:] == [("admit", "api@edge"), ("drain", "api@edge")]
    shop.gapless("admit", "api@web3", code=0)
    assert shop.serving() == ["web1", "web2", "web3"]


async def _second_balancer(shop: Shop) -> None:
    Traffic(shop.world, "inner", ("api",))
    shop.edit("balancers:\n", "balancers:\n  inner: {command: {drain: a, admit: b}}\n")
    shop.edit("balancer: edge", "balancer: [edge, inner]")


def test_a_drain_that_fails_gives_back(shop: Shop) -> None:
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="drain", host="balancer:edge"))
    ended = shop.gapless("drain", "api@web3", code=4)
    assert "gapless drain api@web3" in ended.text
    assert shop.serving() == ["web1", "web2", "web3"]
    shop.gapless("restart", "api", "--yes", code=0)
    assert shop.serving() == ["web1", "web2", "web3"]


def test_a_failed_drain_of_what_was_out_before_does_not_let_it_in(shop: Shop) -> None:
    shop.world._hooks.clear()
    shop.world.traffic["edge"].take_out(Instance("api", "web3"))
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="drain", host="balancer:edge"))
    shop.gapless("drain", "api@web3", code=4)
    assert shop.serving() == ["web1", "web2"]


def test_a_failed_drain_is_no_drain_by_hand(shop: Shop) -> None:
    """inner had it out before; edge refused, so it stays there what it was: in."""
    loose(shop)
    shop.do(_second_balancer(shop))
    shop.world.traffic["inner"].take_out(Instance("api", "web3"))
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="drain", host="balancer:edge"))
    shop.gapless("drain", "api@web3", code=4)
    shop.release("2")
    shop.gapless("deploy", "api", "--hosts", "web3", "--yes", code=0)
    assert [e.data["balancer"] for e in shop.events("instance.left_out")] == ["inner"]


def test_a_failed_drain_lets_nothing_in_that_a_rollout_left_out(shop: Shop) -> None:
    """web3 failed on its way back and gets no traffic; who drains it cannot put it in."""
    shop.world._hooks.clear()
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 1, max_unavailable: 3}")
    shop.bad_release(NEVER_READY)
    shop.at("web3/api/switch", lambda: setattr(shop.unit("web3"), "normal", NEVER_READY))
    shop.gapless("deploy", "--hosts", "web3", "--yes", code=5)
    assert any(e.host == "web3" for e in shop.events("instance.left_out"))
    shop.world.faults.add(Fault(What.REFUSE, When.BEFORE, verb="drain", host="balancer:edge"))
    ended = shop.gapless("drain", "api@web3", code=5)
    assert "api on web3 is left out of edge" in ended.text
    assert [e.step for e in shop.events("step.failed")] == ["drain"], "nobody tried to let it in"


def test_a_killed_drain_is_resumed(shop: Shop) -> None:
    shop.kill_at("web3/api/drain")
    shop.killed("drain", "api@web3", "--reason", "new disk")
    ended = shop.gapless("restart", "api", "--yes", code=6)
    assert "gapless resume" in ended.text
    shop.gapless("resume", code=0)
    assert shop.serving() == ["web1", "web2"]
    assert shop.journal().locks() == []


def test_several_services_of_a_host_and_json(shop: Shop) -> None:
    ended = shop.gapless("drain", "web3", "--json", "--progress", "quiet", code=0)
    report = json.loads(ended.out)
    assert (report["verb"], report["outcome"]) == ("drain", "done")
    assert report["services"][0]["serving"] == {"web3": "out of traffic"}


def test_a_dry_run_shows_the_plan_and_moves_nothing(shop: Shop) -> None:
    out = shop.gapless("drain", "api@web[1:2]", "--dry-run", code=0).text
    assert "drain shop — 1 service, 2 instances on 2 hosts" in out
    assert "api out of traffic, ≥ 2 of 3 serve" in out
    assert "Drains 2 instances in about" in out
    assert "what goes out stays out until gapless admit." in out
    out = shop.gapless("admit", "api@web1", "--dry-run", code=0).text
    assert "api into traffic," in out and "Admits 1 instance in about" in out
    assert "after its own checks pass." in out
    assert shop.world.deeds("drain", "admit") == [] and shop.last().verb == "deploy"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "which instance is meant?"),
        (("api",), "which instance of api is meant?"),
        (("aip@web3",), "did you mean api"),
        (("api@web9",), "unknown host or group 'web9'"),
        (("api@web3", "--hosts", "web1"), "no instance of api is on web3"),
        (("site@web3",), "site has no balancer"),
    ],
)
def test_words_that_mean_nothing_are_refused(shop: Shop, words: tuple[str, ...], told: str) -> None:
    shop.config(f"{CONFIG}  site: {{on: [web3], systemd: site.service}}\n")
    assert told.replace("'", "") in shop.gapless("drain", *words, code=2).text.replace("'", "")


def test_durations_of_rollouts_are_not_those_of_drains(shop: Shop) -> None:
    before = shop.journal().durations("api")
    shop.gapless("drain", "api@web3", code=0)
    assert shop.journal().durations("api") == before


def test_a_rollback_passes_over_what_was_done_by_hand(shop: Shop) -> None:
    old = shop.live()
    shop.release("2")
    shop.gapless("deploy", "api", "--yes", code=0)
    shop.gapless("drain", "api@web3", code=0)
    shop.gapless("admit", "api@web3", code=0)
    shop.gapless("rollback", "api", "--yes", code=0)
    assert shop.live() == old


def test_a_balancer_that_tells_no_state_is_remembered_for(tmp_path: Path) -> None:
    """What a balancer cannot report, the host knows."""
    pool = Pool(tmp_path, state=False)
    pool.edit("    balancer: edge", "    balancer: edge\n    rollout: {max_unavailable: 2}")
    told = pool.gapless("drain", "api@h3", "--dry-run", code=0)
    assert "edge (command): nothing shows when a drain is over: each lasts 300ms" in told
    told = pool.gapless("drain", "api@h3", code=0)
    assert "out of traffic (timed)" in told
    told = pool.gapless("restart", "api", "--yes", code=0)
    assert "in h3" not in " ".join(pool.orders())
    assert "gapless admit api@h3" in told
    pool.gapless("admit", "api@h3", code=0)
    assert pool.orders()[-1].startswith("in h3:")
    assert not (tmp_path / "h3.out").exists()


def test_the_state_of_members_is_what_status_shows(shop: Shop) -> None:
    shop.gapless("drain", "api@web3", code=0)
    assert MemberState.DRAINED.value in shop.gapless("status", code=0).text


def test_status_says_who_drained_it_and_that_the_balancer_forgot(shop: Shop) -> None:
    shop.gapless("drain", "api@web3", "--reason", "new disk", code=0)
    who = shop.last().actor
    ended = shop.gapless("status", code=0)
    assert f"api on web3: drained by hand (by {who}," in ended.text
    assert "new disk)" in ended.text and "gapless admit api@web3" in ended.text
    shop.world._hooks.clear()
    shop.world.traffic["edge"].put_back(Instance("api", "web3"))
    ended = shop.gapless("status", code=0)
    assert f"api on web3: drained by hand, but edge has it in (by {who}," in ended.text


def test_an_admit_that_fails_shows_no_log_from_before_it(shop: Shop) -> None:
    """Nothing was started by it: of the log only what was written since belongs to it."""
    shop.gapless("drain", "api@web3", code=0)
    unit = shop.unit("web3")
    unit.log.append((shop.world.clock.now(), unit.invocation, b"long ago"))
    shop.do(unit.stop())
    shop.rest(3600)
    ended = shop.gapless("admit", "api@web3", "--force", "--reason", "I know", code=4)
    assert "not running after 20 s" in ended.text and "long ago" not in ended.text
