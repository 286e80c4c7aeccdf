"""Programs that hand over: what their section means, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.services import ServiceConfig
from gapless.config.source import load_config
from gapless.plans import StepKind, Verb
from gapless.strategies import STRATEGIES
from tests.unit.config.shop import problems

BOT = """\
project: chat
hosts: {bot1: {}}
balancers:
  edge: {haproxy: {socket: /run/haproxy.sock, backend: b, server: "{name}-{slot}"}}
services:
  bot:
    on: bot1
    systemd: bot@{slot}
"""


def bot(folder: Path, keys: str = "{}") -> ServiceConfig:
    file = folder / "gapless.yaml"
    file.write_text(f"{BOT}    handover: {keys}\n")
    return load_config(file).project.services["bot"]


def test_the_strategy_follows_from_it(tmp_path: Path) -> None:
    service = bot(tmp_path)
    assert service.strategy == "handover"
    steps = STRATEGIES["handover"](service, Verb.RESTART, migrate=False)
    asked = [StepKind.SWITCH, StepKind.ADMIT, StepKind.SOAK, StepKind.DRAIN, StepKind.RETIRE]
    assert [step for step in steps if step in asked] == asked  # watched while both handle events


def test_both_are_active_for_two_times_the_skew_at_least(tmp_path: Path) -> None:
    def together(keys: str) -> float:
        found = bot(tmp_path, keys).handover
        assert found is not None
        return found.together

    assert together("{}") == 4.0
    assert together("{skew: 5s}") == together("{skew: 5s, joint: 1s}") == 10.0
    assert together("{skew: 1s, joint: 1m}") == 60.0


def test_a_command_alone_is_a_budget(tmp_path: Path) -> None:
    found = bot(tmp_path, "{budget: /usr/local/bin/left}").handover
    assert found is not None and found.budget is not None
    assert found.budget.run == ("/usr/local/bin/left",)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("handover: {lock: 'mysql://db'}", "is none of sqlite:"),
        ("handover: {lock: 'redis://:secret@db'}", "holds a password"),
        ("handover: {namespace: 'a b'}", "may have letters"),
        ("handover: {directory: run}", "directory"),
        ("handover: {}\n    balancer: edge", "a balancer sends traffic to it"),
        ("handover: {}\n    rollout: {strategy: start-first}", "start-first: two copies"),
        ("rollout: {strategy: handover}", "nothing says how the copies speak"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, keys: str, said: str) -> None:
    told = problems(tmp_path, f"{BOT}    {keys}\n")
    assert any(said in str(problem) for problem in told), told
    assert not any("secret" in str(problem) for problem in told)


def test_one_copy_cannot_hand_over(tmp_path: Path) -> None:
    text = BOT.replace("bot@{slot}", "bot.service")
    told = problems(tmp_path, f"{text}    handover: {{}}\n")
    assert any("there is but one copy of an instance" in str(problem) for problem in told), told
