"""Services that are clusters: what follows from it, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.config.clusters import KINDS
from gapless.config.services import ServiceConfig
from gapless.config.source import load_config
from gapless.plans import StepKind, Verb
from gapless.strategies import STRATEGIES
from tests.unit.config.shop import problems

STORE = """\
project: store
hosts: {"db[1:3]": {}}
services:
  db:
    on: "db[1:3]"
    systemd: db.service
"""


def store(folder: Path, keys: str) -> ServiceConfig:
    file = folder / "gapless.yaml"
    file.write_text(f"{STORE}{keys}")
    return load_config(file).project.services["db"]


def test_the_strategy_and_its_steps_follow_from_it(tmp_path: Path) -> None:
    service = store(tmp_path, "    cluster: {etcd: {}}\n")
    assert (service.strategy, service.in_place, service.on_failure) == (
        "followers-first", True, "stop",
    )  # fmt: skip
    assert service.cluster is not None and service.cluster.kind == "etcd"
    steps = STRATEGIES[service.strategy](service, Verb.RESTART, migrate=False)
    order = [StepKind.EVACUATE, StepKind.SWITCH, StepKind.READY, StepKind.REJOIN]
    assert [step for step in steps if step in order] == order
    assert store(tmp_path, "").on_failure == "rollback"


def test_a_person_may_be_asked_instead(tmp_path: Path) -> None:
    keys = "    cluster: {etcd: {}}\n    rollout: {on_failure: pause}\n"
    assert store(tmp_path, keys).on_failure == "pause"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            "    cluster: {}\n",
            f"give exactly one of {', '.join(KINDS)}",
        ),
        (
            "    cluster: {etcd: {}, redis_cluster: {}}\n",
            f"give exactly one of {', '.join(KINDS)}",
        ),
        (
            "    cluster: {etcd: {}}\n    rollout: {strategy: rolling}\n",
            "rolling: members of a cluster are restarted followers-first",
        ),
        (
            "    rollout: {strategy: followers-first}\n",
            "followers-first: nothing says which cluster its instances are members of",
        ),
        (
            "    cluster: {etcd: {}}\n    rollout: {canary: 1}\n",
            "canary: the cluster itself says which member goes next",
        ),
        (
            "    cluster: {etcd: {}}\n    rollout: {on_failure: rollback}\n",
            "on_failure: rollback would stop member after member",
        ),
        ("    cluster: {redis_sentinel: {}}\n", "master"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, keys: str, told: str) -> None:
    assert any(told in str(problem) for problem in problems(tmp_path, STORE + keys))


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [("chronik: {}", 45.0), ("chronik: {}, stop: 90s", 90.0), ("etcd: {}", 0.0)],
)
def test_how_long_a_member_may_need_to_stop(tmp_path: Path, keys: str, seconds: float) -> None:
    cluster = store(tmp_path, f"    cluster: {{{keys}}}\n").cluster
    assert cluster is not None and cluster.stops == seconds


def test_a_process_has_to_end_before_another_one_starts_on_the_same_data(tmp_path: Path) -> None:
    flips = STORE.replace("systemd: db.service", "process: {command: [etcd]}")
    (told,) = problems(tmp_path, f"{flips}    cluster: {{etcd: {{}}}}\n")
    assert "a flip would start a second member beside the first" in str(told)
    apart = flips.replace("[etcd]", "[etcd], name: 'etcd-{slot}'")
    assert not problems(tmp_path, f"{apart}    cluster: {{etcd: {{}}}}\n")
