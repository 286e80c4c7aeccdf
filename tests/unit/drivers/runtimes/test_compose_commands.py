"""Exact commands for a service of a compose project, and what is refused; no engine is asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.drivers.runtimes.compose import ComposePair
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Completed, InstanceState, Verdict

DOCKER = "docker --host unix:///run/docker.sock"
SCRIPT = "python3 -I -S -"
LABELS = (
    "com.docker.compose.project=shop com.docker.compose.service=web com.docker.compose.oneoff=False"
)
WRITTEN: dict[str, Any] = {
    "name": "shop", "hash": "h1", "image": "web:1", "build": False, "container_name": "",
    "ports": [], "volumes": [], "network_mode": "", "static": [], "replicas": 1, "copied": [],
    "healthcheck": False,
}  # fmt: skip


def container(number: int = 1, **changes: Any) -> dict[str, Any]:
    labels = {"com.docker.compose.config-hash": "h1", **changes.pop("labels", {})}
    return {
        "id": f"{number}" * 64, "name": f"shop-web-{number}", "status": "running", "exit": 0,
        "error": "", "started": f"2026-01-01T00:00:0{number}.5Z", "restarts": 0,
        "image": "sha256:1", "image_name": "web:1", "labels": labels,
        "addresses": {"shop_default": f"10.0.0.{number}"},
        "stop_timeout": None, "auto_remove": False, "volumes": [], **changes,
    }  # fmt: skip


OURS = {"gapless.service": "web", "gapless.slot": "b", "gapless.generation": "4"}


class Host:
    """Answers what the script would, and remembers what it was asked."""

    host = "app1"

    def __init__(self, *containers: dict[str, Any], **written: Any) -> None:
        self.containers = list(containers)
        self.written = {**WRITTEN, **written}
        self.asked: list[Command] = []
        self.refusal = ""

    async def run(self, command: Command) -> Completed:
        self.asked.append(command)
        if self.refusal:
            return Completed(command.argv, 1, "", self.refusal, 0.1)
        told = {"containers": self.containers, "images": {"web:1": "sha256:1"}}
        if "project" in command.argv:
            told["written"] = self.written
        return Completed(command.argv, 0, json.dumps(told), "", 0.1)


def pair(*, alone: bool = False, **config: Any) -> ComposePair:
    made = ComposeConfig.model_validate({"directory": "/srv/shop", **config})
    return ComposePair(made, "web", folder="/srv/shop", alone=alone)


def of(host: Host) -> Transport:
    return cast(Transport, host)


def lines(commands: tuple[Command, ...]) -> list[str]:
    return [str(command) for command in commands]


def failing(host: Host, runtime: ComposePair) -> list[Verdict]:
    return [v for v in asyncio.run(runtime.preflight(of(host))) if not v.passed]


def test_a_new_copy_is_made_by_compose_labelled_and_started_by_compose() -> None:
    runtime = pair(environment={"WEB_PORT": "{slot:8081|8082}"}, files=["a.yaml"], project="shop")
    made = asyncio.run(runtime.copy("b").replacement(of(Host(container())), {}, False))
    compose = f"{DOCKER} compose --file a.yaml --project-name shop up --no-deps --no-recreate"
    own = "gapless.service=web gapless.slot=b gapless.generation=1"
    assert lines(made.commands) == [
        f"{compose} --no-start --quiet-pull --scale web=2 web",
        f"{SCRIPT} label /run/docker.sock {LABELS} -- {own}",
        f"{compose} --no-build --detach --scale web=2 web",
    ]
    assert made.commands[0].cwd == "/srv/shop"
    assert made.commands[0].env == {"WEB_PORT": "8082"}
    assert made.timeout > sum(command.timeout for command in made.commands)


def test_what_compose_left_half_made_is_no_copy() -> None:
    host = Host(container(1), container(2, status="created"))
    made = asyncio.run(pair().copy("b").replacement(of(host), {}, False))
    assert "--scale web=2" in str(made.commands[0])
    assert asyncio.run(pair().copy("b").observe(of(host))).state is InstanceState.MISSING


def test_the_old_copy_is_ended_by_its_id_after_its_hook() -> None:
    host = Host(container(1), container(2, labels=OURS))
    runtime = pair(pre_stop=["touch", "/tmp/drain"], stop_timeout="25s")
    ending = asyncio.run(runtime.copy("a").ending(of(host)))
    one = "1" * 64
    assert lines(ending.commands) == [
        f"{DOCKER} exec {one} touch /tmp/drain",
        f"{DOCKER} update --restart=no {one}",
        f"{DOCKER} stop --time 25 {one}",
        f"{DOCKER} rm --force {one}",
    ]
    assert [command.check for command in ending.commands] == [False, False, True, True]
    assert ending.commands[2].timeout >= 25


def test_an_end_of_what_is_gone_changes_nothing() -> None:
    (command,) = asyncio.run(pair().copy("a").ending(of(Host()))).commands
    assert str(command).startswith(f"{DOCKER} ps --all --quiet --filter")


def test_the_way_back_asks_for_the_container_as_it_was() -> None:
    kept = RuntimeSnapshot(stored="/s", facts={"file": "/s/container.json"})
    back = asyncio.run(pair().copy("a").restoration(of(Host(container(2, labels=OURS))), kept))
    own = "gapless.service=web gapless.slot=a gapless.generation=5"
    assert lines(back.commands) == [f"{SCRIPT} again /run/docker.sock /s/container.json -- {own}"]


def test_of_two_the_one_that_runs_longer_serves_and_each_has_its_address() -> None:
    host = Host(container(2, labels=OURS), container(1))
    runtime = pair()
    assert asyncio.run(runtime.live(of(host))) == "a"
    assert asyncio.run(runtime.copy("b").observe(of(host))).detail["address"] == "10.0.0.2"
    at_host = pair(reach="host")
    assert "address" not in asyncio.run(at_host.copy("b").observe(of(host))).detail


@pytest.mark.parametrize(
    ("changes", "written", "changed"),
    [
        ({}, {}, "no"),
        ({}, {"hash": "h2"}, "yes"),
        ({"image": "sha256:0"}, {}, "yes"),
    ],
    ids=["same", "another project", "another image"],
)
def test_a_deploy_has_something_new(
    changes: dict[str, Any], written: dict[str, Any], changed: str
) -> None:
    host = Host(container(1, **changes), **written)
    assert asyncio.run(pair().observe(of(host))).detail["changed"] == changed


@pytest.mark.parametrize(
    ("written", "check", "wanted"),
    [
        ({"container_name": "web"}, "container_name", "no container_name"),
        ({"ports": ["8080"]}, "ports", "{slot:8081|8082}"),
        ({"volumes": ["data"]}, "volumes", "shared: ['data']"),
        ({"network_mode": "host"}, "network", "a network of the project"),
        ({"static": ["front"]}, "network", "no ipv4_address"),
        ({"replicas": 3}, "replicas", "one on each host"),
        ({"copied": ["token"]}, "secrets", "file: PATH"),
    ],
)
def test_what_cannot_be_twice_is_refused_by_name(
    written: dict[str, Any], check: str, wanted: str
) -> None:
    (verdict,) = failing(Host(container(), **written), pair())
    assert verdict.check == check
    assert wanted in verdict.wanted


def test_what_is_shared_and_what_is_replaced_in_place_is_not() -> None:
    host = Host(container(), volumes=["data"])
    assert not failing(host, pair(shared=["data"]))
    assert not failing(Host(container(), container_name="web", ports=["80"]), pair(alone=True))


def test_two_copies_a_paused_one_and_a_foreign_one_are_findings() -> None:
    two = failing(Host(container(1), container(2, labels=OURS)), pair())
    assert [v.answer for v in two] == ["shop-web-2 beside it"]
    (paused,) = failing(Host(container(status="paused")), pair())
    assert paused.status.value == "INCONCLUSIVE"
    assert "unpause shop-web-1" in paused.wanted
    (foreign,) = failing(Host(container(labels={**OURS, "gapless.service": "api"})), pair())
    assert foreign.answer == "shop-web-1 is of api"


def test_an_engine_that_does_not_answer_is_no_knowledge() -> None:
    host = Host()
    host.refusal = "Cannot connect to the Docker daemon"
    assert asyncio.run(pair().observe(of(host))).state is InstanceState.UNKNOWN
    (verdict,) = failing(host, pair())
    assert verdict.status.value == "INCONCLUSIVE"
    assert verdict.answer == "Cannot connect to the Docker daemon"
