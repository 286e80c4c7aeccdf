"""Exact commands for a container of an image; no engine is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from gapless.config.docker_service import DockerConfig
from gapless.drivers.runtimes.docker import DockerPair
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.hostside.container_check import argv_of
from gapless.model import Completed, InstanceState

from .test_compose_commands import container

OURS = {"gapless.project": "site", "gapless.service": "web", "gapless.slot": "a"}


class Host:
    """Says what the engine would."""

    host = "app1"

    def __init__(self, *containers: dict[str, Any], file: str = "1") -> None:
        self.found = containers
        self.file = file

    async def containers(
        self, socket: str, labels: Sequence[str], *, names: Sequence[str]
    ) -> Mapping[str, Any]:
        assert list(labels) == ["gapless.project=site", "gapless.service=web"]
        assert {"web-a", "web-b"} <= {*names}
        return {"containers": self.found, "images": {"web:1": "sha256:1"}}

    async def digest(self, paths: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(paths, self.file)


def pair(**config: Any) -> DockerPair:
    made = DockerConfig.model_validate({"image": "web:1", **config})
    return DockerPair(made, "web", project="site")


def of(host: Host) -> Transport:
    return cast(Transport, host)


def settings(host: Host, runtime: DockerPair) -> str:
    """The hash that a new container would have."""
    made = asyncio.run(runtime.copy("a").replacement(of(host), {}, False)).commands[-1]
    return next(word for word in made.argv if word.startswith("gapless.settings="))


def test_a_new_copy_is_made_by_docker_create_with_the_options_of_its_slot() -> None:
    runtime = pair(options=["-p", "{slot:81|82}:80", "--network", "shop"], command="./web --loud")
    made = asyncio.run(runtime.copy("b").replacement(of(Host()), {}, False))
    argv = made.commands[0].argv
    assert argv[4:8] == ("create", "/run/docker.sock", "web-b", "gapless.project=site")
    end = ("create", "--", "-p", "82:80", "--network", "shop", "web:1", "./web", "--loud")
    assert argv[-9:] == end
    assert made.manner == "install"


def test_what_changes_its_settings() -> None:
    plain = settings(Host(), pair())
    assert settings(Host(), pair()) == plain
    env = ["--env-file", "/srv/web.env"]
    found = {
        settings(Host(), pair(options=["-m", "1g"])),
        settings(Host(), pair(command="./web")),
        settings(Host(file="1"), pair(options=env)),
        settings(Host(file="2"), pair(options=env)),
        plain,
    }
    assert len(found) == 5


@pytest.mark.parametrize(("image", "changed"), [("sha256:1", "no"), ("sha256:0", "yes")])
def test_a_deploy_has_nothing_to_do_when_all_is_the_same(image: str, changed: str) -> None:
    hashed = settings(Host(), pair()).partition("=")[2]
    labels = {**OURS, "gapless.settings": hashed}
    host = Host(container(name="web-a", labels=labels, image=image))
    assert asyncio.run(pair().observe(of(host))).detail["changed"] == changed


def test_a_stranger_is_no_copy_and_its_name_is_not_taken() -> None:
    host = Host(container(name="web-a"))
    assert asyncio.run(pair().observe(of(host))).state is InstanceState.MISSING
    told = [v for v in asyncio.run(pair().preflight(of(host))) if v.check == "owner"]
    assert told[0].answer == "web-a is not of web"
    with pytest.raises(HostFault, match="there is a container web-a already"):
        asyncio.run(pair().copy("a").replacement(of(host), {}, False))


def test_one_is_adopted_by_its_name_alone_and_never_from_another_service() -> None:
    mine = Host(container(name="old"))
    assert asyncio.run(pair(adopt="old").live(of(mine))) == "a"
    other = Host(container(name="old", labels={"gapless.service": "api"}))
    assert asyncio.run(pair(adopt="old").live(of(other))) == ""


@pytest.mark.parametrize(
    ("config", "argv"),
    [
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, ["true"]),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a | b"]}}, ["/bin/sh", "-c", "a | b"]),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a"]}, "Shell": ["ash", "-c"]}, ["ash", "-c", "a"]),
        ({"Healthcheck": {"Test": ["NONE"]}}, []),
        ({}, []),
    ],
)
def test_the_test_of_a_container(config: dict[str, Any], argv: list[str]) -> None:
    assert argv_of(config) == argv


def test_a_reason_that_is_told_twice_is_shown_once() -> None:
    lines = (
        " Image web:none Pulling",
        " Image web:none Error Get https://registry: no such host",
        "Error response from daemon: Get https://registry: no such host",
    )
    told = pair().copy("b").refusal(Completed(("python3",), 1, "", "\n".join(lines), 0.1))
    assert told is not None
    assert told.what == "Error response from daemon: Get https://registry: no such host"
    assert told.evidence == "Image web:none Pulling\nImage web:none Error"
