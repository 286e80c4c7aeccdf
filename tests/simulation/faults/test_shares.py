"""Canaries that get the traffic in shares, by the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gapless.testing.fake_unit import Behaviour
from tests.simulation.faults.pairs import Pairs
from tests.simulation.faults.test_start_first import ALL_IN_A, ALL_IN_B

SHARES = "{strategy: canary, shift: [5%, {share: 25%, hold: 2m}], hold: 1m}"


@pytest.fixture
def pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Pairs:
    """Release "1" runs in slot b everywhere; what goes first gets shares from now on."""
    made = Pairs(tmp_path, monkeypatch, capsys)
    made.edit("{batch: 1}", SHARES)
    return made


def test_the_plan_and_the_screens_speak_of_the_shares(pairs: Pairs) -> None:
    name = pairs.release("2")
    plan = " ".join(pairs.gapless("plan", "deploy", code=0).text.split())
    assert "the new copy on web1 gets 5 % of the traffic for 1m" in plan
    assert "then 25 % of the traffic for 2m, at most what one instance gets; then all of it" in plan
    ended = pairs.gapless("deploy", "--yes", "--progress=plain", code=0)
    assert "web1 api copy a gets 5 % of the traffic for 1 min" in ended.text
    assert "web1 api copy a gets 25 % of the traffic for 2 min" in ended.text
    assert "copy a was well with 5 % and 25 % of the traffic" in ended.text
    assert "web2 api copy a gets" not in ended.text
    assert pairs.running() == ALL_IN_A
    pairs.all_serve(name)
    assert weights(pairs) == {1}
    pairs.world.check()


def test_a_copy_that_goes_bad_at_its_share_is_taken_back(pairs: Pairs) -> None:
    pairs.bad_release(Behaviour(unhealthy_after=30.0))
    ended = pairs.gapless("deploy", "--yes", "--progress=plain", code=4)
    assert "all traffic back on copy b" in ended.text
    assert "FAILED web1 api shift" in ended.text
    assert "the old version is restored" in ended.text
    assert pairs.running() == ALL_IN_B
    assert weights(pairs) == {1}
    assert pairs.changed().count("web2 start") == 0


def test_an_abort_while_a_share_is_held_is_heard_within_it(pairs: Pairs) -> None:
    """Another terminal asks; the deploy itself takes everything back."""
    pairs.release("2")
    pairs.at("web1/api/shift", lambda: asyncio.get_running_loop().call_later(30, ask, pairs))
    ended = pairs.gapless("deploy", "--yes", "--progress=plain", code=4)
    assert "all traffic back on copy b" in ended.text
    assert "gets 5 % of the traffic" in ended.text and "gets 25 %" not in ended.text
    assert "asked for by ann" in ended.text
    assert pairs.running() == ALL_IN_B
    assert weights(pairs) == {1}


def test_an_abort_while_the_old_set_stands_by_is_heard_within_that(pairs: Pairs) -> None:
    pairs.edit(SHARES, "{strategy: blue-green, park: 12m}")
    pairs.release("2")
    asked: list[float] = []

    def later() -> None:
        asked.append(pairs.world.clock.monotonic())
        ask(pairs)

    pairs.at("web1/api/park", lambda: asyncio.get_running_loop().call_later(60, later))
    pairs.gapless("deploy", "--yes", code=4)
    assert pairs.running() == ALL_IN_B
    back = [d.at for d in pairs.world.deeds("admit", host="web1") if "/b" in d.unit]
    assert back[-1] - asked[0] < 3.0


@pytest.mark.parametrize(("verb", "code"), [("resume", 0), ("abort", 4)])
def test_a_controller_killed_at_a_share(pairs: Pairs, verb: str, code: int) -> None:
    pairs.release("2")
    pairs.kill_at("admit")
    pairs.killed("deploy", "--yes")
    ended = pairs.gapless(verb, "--progress=plain", code=code)
    assert pairs.running() == (ALL_IN_A if code == 0 else ALL_IN_B), ended.text
    assert weights(pairs) == {1}
    assert pairs.lost == []


def test_out_of_traffic_by_hand_it_gets_no_share(pairs: Pairs) -> None:
    pairs.world._hooks.clear()
    pairs.gapless("drain", "api@web1", "--reason", "new disk", "--force", code=0)
    pairs.release("2")
    ended = pairs.gapless("deploy", "--yes", "--progress=plain", code=0)
    assert "copy a got no share: the old one is out of traffic" in ended.text
    assert pairs.serving() == ["web2", "web3"]
    assert pairs.running() == ALL_IN_A


def ask(pairs: Pairs) -> None:
    pairs.journal().request(pairs.last().id, "abort", "ann", 1.0)


def weights(pairs: Pairs) -> set[int]:
    """Of all members."""
    return set(pairs.world.traffic["edge"].weights().values())
