"""The keys of the judge, and what can never work with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gapless.config.judging import JudgeConfig
from gapless.config.quantities import format_share, parse_share
from tests.unit.config.shop import problems, service


def test_what_a_plan_carries_is_read_back_as_it_was() -> None:
    judge = JudgeConfig(ceiling="2.5%", extend="90s", on_insufficient="fail")  # type: ignore[arg-type]
    assert judge.ceiling == 0.025
    written = judge.model_dump()
    assert written["ceiling"] == "2.5%"
    assert JudgeConfig.model_validate(written) == judge


@pytest.mark.parametrize("text", ["0.1%", "5%", "33.3%", "100%"])
def test_shares_are_percentages(text: str) -> None:
    assert format_share(parse_share(text)) == text


@pytest.mark.parametrize("value", ["0%", "101%", "5", 5, 0.05, "half", None, True])
def test_anything_else_is_no_share(value: object) -> None:
    with pytest.raises(ValueError, match="write a percentage"):
        parse_share(value)


@pytest.mark.parametrize(
    "keys",
    [
        {"alpha": 0},
        {"alpha": 0.5},
        {"effect": 1.5},
        {"least_rate": 0},
        {"interval": "0s"},
        {"baseline": 0},
        {"on_insufficient": "hope"},
        {"controls": 1},
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JudgeConfig.model_validate(keys)


def test_watching_longer_than_an_instance_may_take_is_told(tmp_path: Path) -> None:
    text = service(soak="5m", verify="{logs: {extend: 10m}}")
    (told,) = problems(tmp_path, text)
    assert "soak and extend are 15m together" in told
    assert "defaults.host_deadline ends all steps of an instance after 15m" in told
    assert problems(tmp_path, text + "defaults: {host_deadline: 30m}\n") == []
    assert problems(tmp_path, text + "defaults: {host_deadline: 0}\n") == []
    assert problems(tmp_path, service(soak="5m", verify="{logs: {extend: 9m}}")) == []
    (told,) = problems(tmp_path, service(soak="15m"))
    assert "soak is 15m, and defaults.host_deadline ends all steps" in told
    (told,) = problems(tmp_path, service() + "defaults: {soak: 20m}\n")
    assert "soak is 20m, and defaults.host_deadline ends all steps" in told
