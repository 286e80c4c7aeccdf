"""``rollout.groups``, ``canary`` and ``spread``: names that must mean hosts of the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from gapless.config.rollout import RolloutConfig
from tests.unit.config.shop import problems

HEAD = """\
project: shop
hosts:
  web[1:4]: {groups: [web, east]}
  web[5:6]: {groups: [web, west]}
  db1: {groups: [db]}
"""


def found(folder: Path, rollout: str, defaults: str = "", more: str = "") -> list[str]:
    """Problems of a service with this rollout."""
    service = f"services:\n  api:\n    on: [web]\n    systemd: api\n    rollout: {rollout}\n"
    told = problems(folder, f"{HEAD}{defaults}{service}{more}")
    return [problem.partition(": ")[2] for problem in told]


@pytest.mark.parametrize(
    ("rollout", "told"),
    [
        ("{groups: [{group: east, then: approve}, {group: west, batch: 50%, then: 10m}]}", []),
        ("{groups: [{group: 'web[1:2]'}, {group: web3}], canary: [web1, west]}", []),
        ("{groups: [{group: east, canary: [web1]}, {group: web, canary: 1}]}", []),
        ("{groups: [{group: eat}]}", ["unknown host or group 'eat' — did you mean 'east'?"]),
        ("{groups: [{group: db}]}", ["'db' has no host of api — see on: of the service"]),
        (
            "{groups: [{group: east}, {group: 'web[1:2]'}]}",
            [
                "no host is left for 'web[1:2]': all of its hosts belong to 'east' before it — a"
                " host belongs to its first group"
            ],
        ),
        ("{canary: [web1, wast]}", ["unknown host or group 'wast' — did you mean 'west'?"]),
        ("{canary: db1}", ["'db1' has no host of api — see on: of the service"]),
        (
            "{groups: [{group: east, canary: web5}]}",
            ["'web5' has no host of group east — see on: of the service"],
        ),
        ("{groups: [{group: east, batch: 0}]}", ["batch: 0 replaces nothing — write 1 or more"]),
        (
            "{groups: [{group: east, then: soon}]}",
            ["then: 'soon' is neither approve nor a duration such as 10m"],
        ),
        (
            "{groups: [{group: east, than: 10m}]}",
            ["unknown key 'than' — did you mean 'then'?"],
        ),
        (
            "{spread: zone}",
            [
                "spread: zone, and no host of api has a zone — give hosts their zone:"
                " hosts.NAME.zone"
            ],
        ),
        ("{spread: rack}", ["spread: 'rack' is not possible — one of none, zone"]),
    ],
)  # fmt: skip
def test_what_is_told(tmp_path: Path, rollout: str, told: list[str]) -> None:
    assert found(tmp_path, rollout) == told


def test_what_comes_from_defaults_need_not_fit_every_service(tmp_path: Path) -> None:
    defaults = "defaults: {rollout: {groups: [{group: east}, {group: db}], canary: [db1]}}\n"
    database = "  db: {on: [db], systemd: db}\n"
    assert found(tmp_path, "{batch: 1}", defaults, database) == []
    assert found(tmp_path, "{batch: 1}", defaults) == [
        "'db' has no host of any service — see on: of the service",
        "'db1' has no host of any service — see on: of the service",
    ]


@pytest.mark.parametrize(
    ("said", "meant"),
    [(2, 2), ("2", 2), ("5%", "5%"), ("web1", ("web1",)), (["web1", "b"], ("web1", "b"))],
)
def test_canaries_are_a_number_a_share_or_names(said: object, meant: object) -> None:
    assert RolloutConfig.model_validate({"canary": said}).canary == meant


@pytest.mark.parametrize("said", [True, -1, "200%", [1], [""], {"a": 1}])
def test_what_no_canary_is(said: object) -> None:
    with pytest.raises(ValidationError):
        RolloutConfig.model_validate({"canary": said})


def test_it_survives_json() -> None:
    groups = [{"group": "a", "batch": "25%", "canary": ["x"], "then": "approve"}, {"group": "b"}]
    rollout = RolloutConfig.model_validate({"groups": groups, "canary": "5%", "spread": "zone"})
    data = rollout.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert RolloutConfig.model_validate(data) == rollout
