"""Shares of the traffic: how they are written, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.balancers import kinds
from gapless.config.rollout import RolloutConfig
from gapless.config.source import load_config
from tests.unit.config.shop import problems
from tests.unit.config.test_slot_rules import PAIR


def rollout(folder: Path, keys: str, text: str = PAIR) -> RolloutConfig:
    file = folder / "gapless.yaml"
    file.write_text(f"{text}    rollout: {keys}\n")
    return load_config(file).project.services["api"].rollout


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[5%, 25%]", [(0.05, None), (0.25, None)]),
        ("5%", [(0.05, None)]),
        ("{share: 0.5%, hold: 10m}", [(0.005, 600.0)]),
        ("[{share: 5%, hold: 1m}, 25%]", [(0.05, 60.0), (0.25, None)]),
        ("[5%, {share: 50%, hold: 0}]", [(0.05, None), (0.5, 0.0)]),
    ],
)
def test_a_share_is_written_alone_or_with_its_time(
    tmp_path: Path, written: str, meant: list[tuple[float, float | None]]
) -> None:
    found = rollout(tmp_path, f"{{strategy: canary, shift: {written}}}")
    assert [(one.share, one.hold) for one in found.shift] == meant


def test_what_says_no_time_is_held_for_that_of_all(tmp_path: Path) -> None:
    found = rollout(tmp_path, "{strategy: canary, shift: [5%, {share: 20%, hold: 30s}], hold: 2m}")
    assert found.held == 150.0
    assert rollout(tmp_path, "{strategy: canary, shift: [5%, 20%]}").held == 120.0
    assert rollout(tmp_path, "{strategy: canary}").held == 0.0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{shift: 5%}", "only canary gives a new copy the traffic in shares"),
        ("{strategy: canary, canary: 0}", "canary: 0: nobody would go first"),
        ("{strategy: canary, shift: [5%, 5%]}", "5% is not more than 5% before it"),
        ("{strategy: canary, shift: [25%, 5%]}", "5% is not more than 25% before it"),
        ("{strategy: canary, shift: [5%, 100%]}", "100% is what comes after the last share"),
        ("{strategy: canary, shift: 5}", "5 is no share; write a percentage such as 5%"),
        ("{strategy: canary, shift: 5%, park: 1m}", "only blue-green keeps an old set"),
        ("{strategy: canary, shift: [5%, 10%], hold: 8m}", "soak and shift are 16m30s together"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, keys: str, said: str) -> None:
    (told,) = problems(tmp_path, f"{PAIR}    rollout: {keys}\n")
    assert said in told


def test_without_a_balancer_there_is_nothing_to_share(tmp_path: Path) -> None:
    text = PAIR.replace("    balancer: edge\n", "    rollout: {strategy: canary, shift: 5%}\n")
    (told,) = problems(tmp_path, text)
    assert "there is no traffic to give shares of" in told
    assert "whole instances go first" in told


def test_a_balancer_without_weights_is_refused_with_the_way_by_counts(tmp_path: Path) -> None:
    caddy = "edge: {caddy: {proxy: shop, upstream: '{address}:{slot:3001|3002}'}}"
    text = PAIR.replace(next(line for line in PAIR.splitlines() if "edge:" in line).strip(), caddy)
    assert problems(tmp_path, f"{text}    rollout: {{strategy: canary, canary: 1}}\n") == []
    (told,) = problems(tmp_path, f"{text}    rollout: {{strategy: canary, shift: 5%}}\n")
    assert "caddy (edge) has no weights to give shares with" in told
    assert "use haproxy" in told and "whole instances go first" in told


def test_one_copy_cannot_be_shared_with_another(tmp_path: Path) -> None:
    text = PAIR.replace("api@{slot}", "api").replace("{slot:3001|3002}", "3001")
    text = text.replace("{host}-{slot}", "{host}") + "    rollout: {strategy: canary}\n"
    (told,) = problems(tmp_path, text)
    assert "canary: there is but one copy of an instance" in told


def test_the_kinds_that_can_shift_are_those_whose_drivers_have_weights_that_stay() -> None:
    from docs.generators.balancers import SHOWN, capabilities

    for kind in SHOWN:
        config = kinds()[kind]
        can = [capabilities(kind, keys) for keys in SHOWN[kind].variants.values()]
        assert {bool(one.weights and one.keeps_weights) for one in can} == {config.shifts}, kind
