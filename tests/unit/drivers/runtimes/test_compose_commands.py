"""Exact commands for a service of a compose project, and what is refused; no engine is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.drivers.runtimes.compose import ComposePair
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import Command, Completed, InstanceState, Verdict

DOCKER = "docker --host unix:///run/docker.sock"
SCRIPT = "python3 -I -S -"
LABELS = (
    "com.docker.compose.project=shop com.docker.compose.service=web com.docker.compose.oneoff=False"
)
WRITTEN: dict[str, Any] = {
    "name": "shop", "hash": "h1", "image": "web:1", "build": False, "container_name": "",
    "ports": [], "volumes": [], "network_mode": "", "static": [], "replicas": 1, "copied": [],
    "read_only": False,
    "healthcheck": False, "hooks": False,
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
        self.containers_there = list(containers)
        self.written = {**WRITTEN, **written}
        self.asked: list[Command] = []
        self.kept: list[tuple[str, ...]] = []
        self.refusal = ""
        self.files, self.lasting = "d1", True

    async def run(self, command: Command) -> Completed:
        self.asked.append(command)
        if self.refusal:
            return Completed(command.argv, 1, "", self.refusal, 0.1)
        told = {**self.written, "lasting": self.lasting, "folder": f"/real{command.cwd}"}
        return Completed(command.argv, 0, json.dumps(told), "", 0.1)

    async def digest(self, paths: Sequence[str]) -> Mapping[str, str]:
        return {path: self.files if path.endswith("/compose.yaml") else "" for path in paths}

    async def containers(self, socket: str, labels: Sequence[str]) -> Mapping[str, Any]:
        assert " ".join(labels) == LABELS
        if self.refusal:
            raise HostFault(self.refusal, where=self.host)
        return {"containers": self.containers_there, "images": {"web:1": "sha256:1"}}

    async def keep(self, socket: str, container: str, path: str, copied: Sequence[str]) -> None:
        if self.refusal:
            raise HostFault(self.refusal, where=self.host, evidence="errno 28")
        self.kept.append((socket, container, path, *copied))


def pair(*, alone: bool = False, **config: Any) -> ComposePair:
    made = ComposeConfig.model_validate({"directory": "/srv/shop", **config})
    return ComposePair(made, "web", folder="/srv/shop", alone=alone)


def released(**config: Any) -> ComposePair:
    """Its project is in ``app`` of the release, live in /srv/current."""
    made = ComposeConfig.model_validate({"project": "shop", **config})
    folder = "/srv/current/app"
    return ComposePair(made, "web", folder=folder, inside="app", changing=True)


def of(host: Host) -> Transport:
    return cast(Transport, host)


def lines(commands: tuple[Command, ...]) -> list[str]:
    return [str(command) for command in commands]


def failing(host: Host, runtime: ComposePair) -> list[Verdict]:
    return [v for v in asyncio.run(runtime.preflight(of(host))) if not v.passed]


def test_a_new_copy_is_made_by_compose_labelled_and_started_by_compose() -> None:
    runtime = pair(environment={"WEB_PORT": "{slot:8081|8082}"}, files=["a.yaml"], project="shop")
    made = asyncio.run(runtime.copy("b").replacement(of(Host(container())), {}, False))
    compose = f"{DOCKER} compose --file a.yaml --project-name shop"
    own = "gapless.service=web gapless.slot=b gapless.generation=1"
    (command,) = made.commands
    assert str(command) == f"{SCRIPT} make /run/docker.sock engine {LABELS} -- {own} -- {compose}"
    assert command.cwd == "/srv/shop"
    assert command.env == {"WEB_PORT": "8082"}
    assert command.timeout > 2 * 300
    assert made.timeout > command.timeout


def test_compose_starts_what_has_hooks() -> None:
    host = Host(container(), hooks=True)
    (command,) = asyncio.run(pair().copy("b").replacement(of(host), {}, False)).commands
    assert "make /run/docker.sock compose" in str(command)


def test_compose_starts_what_it_copies_files_into_and_a_label_has_their_names() -> None:
    host = Host(container(), copied=["/run/secrets/token"])
    (command,) = asyncio.run(pair().copy("b").replacement(of(host), {}, False)).commands
    assert "make /run/docker.sock compose" in str(command)
    assert 'gapless.copied=["/run/secrets/token"]' in command.argv


@pytest.mark.parametrize(("labels", "told"), [({}, ("/banner",)), (OURS, ())])
def test_what_was_copied_into_a_container_of_compose_alone_is_asked_of_the_project(
    labels: dict[str, str], told: tuple[str, ...]
) -> None:
    """One that we made says so itself."""
    host = Host(container(labels=labels), copied=["/banner"])
    slot = labels.get("gapless.slot", "a")
    asyncio.run(pair().copy(slot).snapshot(of(host), "/kept"))
    assert host.kept == [("/run/docker.sock", "1" * 64, "/kept/container.json", *told)]


def test_a_container_that_cannot_be_kept_is_told_with_the_reason() -> None:
    class Full(Host):
        async def keep(self, *asked: Any) -> None:
            self.refusal = "cannot write: /kept: No space left on device"
            await super().keep(*asked)

    with pytest.raises(HostFault) as caught:
        asyncio.run(pair().copy("a").snapshot(of(Full(container())), "/kept"))
    error = caught.value
    assert (error.what, error.where) == ("the container cannot be kept", "app1")
    assert error.evidence == "cannot write: /kept: No space left on device\nerrno 28"


def test_compose_is_asked_once_as_long_as_its_files_are_the_same() -> None:
    async def questions(host: Host) -> list[int]:
        counts = []
        for files in ("d1", "d1", "d2", "d2"):
            host.files = files
            await pair().observe(of(host))
            counts.append(len(host.asked))
        return counts

    assert asyncio.run(questions(Host(container()))) == [1, 1, 2, 2]
    names_more = Host(container())
    names_more.lasting = False
    assert asyncio.run(questions(names_more)) == [1, 2, 3, 4]


def test_a_project_that_a_deploy_brings_along_is_asked_when_it_is_there() -> None:
    host = Host(container(), hooks=True, copied=["/run/secrets/token"])
    made = asyncio.run(released().copy("b").replacement(of(host), {}, False))
    assert "make /run/docker.sock asked" in str(made.commands[0])
    assert "gapless.copied" not in str(made.commands[0])


def test_before_the_first_release_nothing_is_written() -> None:
    host = Host()
    host.files = ""
    seen = asyncio.run(released().observe(of(host)))
    assert (seen.state, seen.detail["changed"]) == (InstanceState.MISSING, "yes")
    assert not host.asked


def test_what_runs_is_not_judged_by_the_release_that_comes_nor_that_by_what_runs() -> None:
    host = Host(container(labels=OURS), container_name="web")
    assert not failing(host, released())
    (found,) = asyncio.run(released().makeable(of(host), "/srv/releases/2"))[1:]
    assert (found.check, host.asked[-1].cwd) == ("container_name", "/srv/releases/2/app")
    assert asyncio.run(pair().makeable(of(host), "/srv/releases/2")) == []


def test_a_release_without_a_project_is_refused() -> None:
    host = Host(container(labels=OURS))
    host.files = ""
    (found,) = asyncio.run(released().makeable(of(host), "/srv/releases/2"))
    assert (found.check, found.answer) == ("project", "there is none in /srv/releases/2/app")


def test_folders_of_a_release_are_called_as_they_are_when_it_is_live() -> None:
    host = Host(container(labels=OURS), volumes=["/real/srv/releases/2/app/data", "/data"])
    runtime = released(shared=["/srv/current/app/data"])
    told = [v.answer for v in asyncio.run(runtime.makeable(of(host), "/srv/releases/2"))[1:]]
    assert told == ["both copies would write to /data"]


@pytest.mark.parametrize(("labels", "told"), [({}, 1), (OURS, 0)])
def test_a_volume_that_the_next_copy_has_not_is_no_obstacle(
    labels: dict[str, str], told: int
) -> None:
    """Of a container that somebody else made it may have been forgotten."""
    host = Host(container(labels=labels, volumes=["shop_data"]))
    assert len(failing(host, pair())) == told
    image = Host(container(labels=OURS, volumes=["0" * 64]))
    assert [v.check for v in failing(image, pair())] == ["volumes"]


def test_what_compose_left_half_made_is_no_copy() -> None:
    host = Host(container(1), container(2, status="created"))
    assert asyncio.run(pair().copy("b").observe(of(host))).state is InstanceState.MISSING


def test_the_old_copy_is_ended_by_its_id_after_its_hook() -> None:
    host = Host(container(1), container(2, labels=OURS))
    runtime = pair(pre_stop=["touch", "/tmp/drain"], stop_timeout="25s")
    ending = asyncio.run(runtime.copy("a").ending(of(host)))
    one = "1" * 64
    hook = "hook /run/docker.sock 'pre_stop of shop-web-1' 60 --"
    assert lines(ending.commands) == [
        f"{SCRIPT} {hook} {DOCKER} exec {one} touch /tmp/drain",
        f"{SCRIPT} end /run/docker.sock {one} 25",
    ]
    assert ending.commands[0].timeout > 60
    assert ending.commands[1].timeout >= 25


def test_the_hook_of_a_label_is_run_where_we_have_none() -> None:
    host = Host(container(1, labels={"docker-rollout.pre-stop-hook": "touch /tmp/drain"}))
    told = lines(asyncio.run(pair().copy("a").ending(of(host))).commands)
    assert told[0].endswith(f"{DOCKER} exec {'1' * 64} sh -c 'touch /tmp/drain'")
    ours = lines(asyncio.run(pair(pre_stop="true").copy("a").ending(of(host))).commands)
    assert ours[0].endswith(f"{DOCKER} exec {'1' * 64} true")


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
        ({"replicas": 3}, "replicas", "compose: {replicas: 3} here"),
        ({"copied": ["/run/secrets/token"], "read_only": True}, "secrets", "file: PATH"),
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
