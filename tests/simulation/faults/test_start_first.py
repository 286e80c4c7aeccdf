"""A service with two slots, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gapless.testing.fake_unit import NEVER_READY, Behaviour
from tests.simulation.faults.errors import Judged
from tests.simulation.faults.pairs import Pairs

ALL_IN_A = dict.fromkeys(("web1", "web2", "web3"), "a")
ALL_IN_B = dict.fromkeys(("web1", "web2", "web3"), "b")


@pytest.fixture
def pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pairs:
    """Release "1" runs in slot b everywhere."""
    return Pairs(tmp_path, monkeypatch, capsys)


def test_there_and_back_again_with_all_of_them_serving(pairs: Pairs) -> None:
    assert pairs.running() == ALL_IN_B
    old = pairs.live()[0]
    name = pairs.release("2")
    plan = pairs.gapless("plan", "deploy", code=0)
    assert "serves all the while" in plan.text
    assert "two copies of each instance while it is replaced" in plan.text
    ended = pairs.gapless("deploy", "--yes", code=0)
    assert "copy a in traffic" in ended.text and "copy b ended" in ended.text
    assert pairs.running() == ALL_IN_A
    pairs.all_serve(name)
    pairs.gapless("rollback", "api", "--yes", code=0)
    assert pairs.running() == ALL_IN_B
    pairs.all_serve(old)
    pairs.world.check()


def test_a_copy_that_never_gets_ready_gets_no_request(pairs: Pairs) -> None:
    pairs.bad_release(NEVER_READY)
    before = {host: pairs.unit(host).invocation for host in pairs.on}
    ended = pairs.gapless("deploy", "--yes", code=4)
    assert "the old version is restored" in ended.text
    assert "its old copy never stopped" in ended.text
    assert {host: pairs.unit(host).invocation for host in pairs.on} == before
    assert pairs.running() == ALL_IN_B and pairs.lost == []
    assert not pairs.world.deeds("admit")
    pairs.world.check()


def test_abort_lets_clients_back_before_the_new_copy_ends(pairs: Pairs) -> None:
    pairs.release("2")
    pairs.kill_at("soak")
    pairs.killed("deploy", "--yes")
    assert pairs.running()["web1"] == "ab"
    pairs.gapless("abort", code=4)
    assert pairs.running() == ALL_IN_B
    moved = pairs.world.deeds("admit", "drain", "stop", host="web1")[-3:]
    assert [(d.what, d.unit.partition("/")[2][:1] or d.unit[4]) for d in moved] == [
        ("admit", "b"),
        ("drain", "a"),
        ("stop", "a"),
    ]
    assert pairs.lost == []


def test_an_interrupted_deploy_is_not_nothing_to_do(pairs: Pairs) -> None:
    """By then its release is live by name on every host, and two copies run on one."""
    pairs.release("2")
    pairs.kill_at("web3/api/ready")
    pairs.killed("deploy", "--yes")
    assert pairs.running()["web3"] == "ab"
    ended = pairs.gapless("deploy", "--yes", code=6)
    assert "was interrupted and has not been finished" in ended.text
    assert "gapless resume" in ended.text


def test_two_copies_that_nobody_ended_refuse_the_next_rollout(pairs: Pairs) -> None:
    pairs.do(pairs.copy("web2", "a").start())
    ended = pairs.gapless("restart", "--yes", code=3)
    assert "api@a.service is running beside api@b.service" in ended.text
    assert pairs.changed() == ["web2 start"]
    ended = pairs.gapless("doctor", code=3)
    assert "systemctl stop api@a.service" in ended.text


def test_drained_by_hand_it_stays_out_whichever_copy_runs(pairs: Pairs) -> None:
    pairs.world._hooks.clear()
    pairs.edit("{batch: 1}", "{batch: 1, max_unavailable: 1}")
    pairs.gapless("drain", "api@web3", "--reason", "new disk", code=0)
    assert pairs.serving() == ["web1", "web2"]
    name = pairs.release("2")
    ended = pairs.gapless("deploy", "--yes", code=0)
    assert "drained it by hand: new disk" in ended.text
    assert pairs.running() == ALL_IN_A and pairs.live() == [name] * 3
    assert pairs.serving() == ["web1", "web2"]
    pairs.gapless("admit", "api@web3", code=0)
    assert pairs.serving() == ["web1", "web2", "web3"]


def test_status_and_doctor_speak_of_the_copy_that_serves(pairs: Pairs) -> None:
    found = json.loads(pairs.gapless("status", "--json", code=0).out)
    rows = found["instances"] if isinstance(found, dict) else found
    assert {row["state"] for row in rows} == {"running"}
    told = pairs.gapless("doctor", "--json", code=3).out  # in virtual time the clocks differ
    assert "api@b.service" in told and "8000" not in told


def test_status_shows_both_copies_of_an_interrupted_rollout(pairs: Pairs) -> None:
    """Of web3 the new one has the traffic by then, and the old one has none."""
    pairs.release("2")
    pairs.kill_at("web3/api/soak")
    pairs.killed("deploy", "--yes")
    told = pairs.gapless("status", code=0).text
    assert "web3 copy b running" in told and "web3 copy a running" in told
    assert "web1 copy" not in told
    rows = json.loads(pairs.gapless("status", "--json", code=0).out)
    found = rows["instances"] if isinstance(rows, dict) else rows
    serving = {row["slot"]: row["serving"] for row in found if row["host"] == "web3"}
    assert serving["a"] != serving["b"] and "up" in serving.values()
    pairs.gapless("abort", code=4)
    assert "copy" not in pairs.gapless("status", code=0).text


def test_an_old_copy_that_dies_before_it_is_ended_is_told_at_the_end(pairs: Pairs) -> None:
    """Nobody is to look for lost requests in the new release."""
    pairs.release("2")
    old = pairs.copy("web2", "b")
    old.restart_always = False
    pairs.at("web2/api/soak", lambda: old.crash(3))
    ended = pairs.gapless("deploy", "--yes", code=0)
    (warned,) = pairs.events("instance.warned")
    assert warned.host == "web2"
    assert "the old copy had died by itself before it was ended" in warned.data["why"]
    assert "had died by itself" in ended.text


def test_a_copy_that_crashes_in_its_soak_is_taken_back_without_a_start(pairs: Pairs) -> None:
    pairs.bad_release(Behaviour(crash_after=3.0))
    pairs.gapless("deploy", "--yes", code=4)
    assert pairs.running() == ALL_IN_B
    starts = pairs.world.deeds("start", host="web1", unit="api@b.service")
    assert starts == []


def test_the_first_deploy_of_a_template_unit(pairs: Pairs) -> None:
    """Where neither copy is there the new one is all there is."""
    (pairs.folder / "api.service").write_text("[Service]\nExecStart=/srv/api/current/app\n")
    pairs.edit("systemd: api@{slot}", "systemd: {unit: 'api@{slot}', file: api.service}")
    pairs.release("2")
    pairs.world._hooks.clear()
    for slot in "ab":
        unit = pairs.copy("web3", slot)
        pairs.do(unit.stop())
        unit.enabled = False
    pairs.host("web3").files.remove(unit.fragment)
    for slot in "ab":
        pairs.copy("web3", slot).load()
    plan = pairs.gapless("plan", "deploy", code=0)
    assert "not on web3 yet" in plan.text
    pairs.gapless("deploy", "--yes", code=0)
    assert pairs.running()["web3"] == "a"
    assert pairs.copy("web3", "a").enabled and not pairs.copy("web3", "b").enabled


def test_errors_of_the_new_copy_are_found_in_the_journal_of_its_own_unit(pairs: Pairs) -> None:
    pairs.edit("    verify: {http:", "    verify: [{logs: {level: error}}, {http:")
    pairs.edit('/health"}\n    balancer', '/health"}]\n    balancer')
    said = tuple(f"ERROR cannot reach db, try {n}".encode() for n in range(40))
    pairs.bad_release(Behaviour(says=said))
    ended = pairs.gapless("deploy", "--yes", code=4)
    assert "cannot reach db" in ended.text
    assert pairs.running() == ALL_IN_B and pairs.lost == []


@pytest.mark.parametrize(("verb", "code"), [("resume", 0), ("abort", 4)])
def test_a_set_of_which_one_waits_for_a_person_waits_as_a_whole(
    pairs: Pairs, verb: str, code: int
) -> None:
    """Blue-green: nothing of the old set is ended before a person has judged the one."""
    pairs.edit('"http://localhost:{slot:8000|9000}/health"}', "http://localhost:8000/health}")
    judged = Judged(pairs, keys="extend: 0s")
    judged.rates.silent.add("web2")
    pairs.edit("{batch: 1}", "{strategy: blue-green}")
    (old, *_) = pairs.live()
    name = pairs.release("2")
    ended = pairs.gapless("deploy", "--yes", code=7)
    assert "too little data to judge" in ended.text
    assert pairs.running() == dict.fromkeys(pairs.on, "ab")
    assert pairs.serving() == list(pairs.on)
    pairs.gapless(verb, code=code)
    assert pairs.running() == (ALL_IN_A if code == 0 else ALL_IN_B)
    pairs.all_serve(name if code == 0 else old)
