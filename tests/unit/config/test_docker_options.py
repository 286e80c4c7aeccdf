"""What options of ``docker create`` say of what can be there but once."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gapless.config import docker_options
from gapless.config.docker_service import DockerConfig


@pytest.mark.parametrize(
    ("options", "ports"),
    [
        (["--publish", "8080:80"], ["8080"]),
        (["--publish=127.0.0.1:8080:80/tcp"], ["8080"]),
        (["-p8080:80"], ["8080"]),
        (["-itp", "8080:80"], ["8080"]),
        (["-p", "80"], []),
        (["-p", "0:80"], []),
        (["--publish-all"], []),
        (["--name-of", "-p"], []),
    ],
)
def test_published_ports(options: list[str], ports: list[str]) -> None:
    assert [*docker_options.published(options)] == ports


@pytest.mark.parametrize(
    ("options", "volumes"),
    [
        (["-v", "data:/data"], ["data"]),
        (["--volume", "/srv:/srv:ro,z"], []),
        (["-v", "/anonymous"], []),
        (["--mount", "type=bind,source=/srv,target=/srv"], ["/srv"]),
        (["--mount", "type=volume,src=data,dst=/data,readonly"], []),
        (["--mount", "type=tmpfs,destination=/tmp"], []),
    ],
)
def test_what_may_be_written_to(options: list[str], volumes: list[str]) -> None:
    assert [*docker_options.written_to(options)] == volumes


def test_networks_addresses_and_files() -> None:
    options = ["--network=host", "--ip", "10.0.0.9", "--env-file", "/srv/{slot}.env"]
    assert docker_options.network_mode(options) == "host"
    assert [*docker_options.fixed_addresses(options)] == ["10.0.0.9"]
    assert [*docker_options.files(options)] == ["/srv/{slot}.env"]


@pytest.mark.parametrize(
    "options",
    [["--rm"], ["--name", "web"], ["--cidfile=/run/id"], ["--label", "gapless.slot=a"]],
)
def test_what_gapless_needs_for_itself_is_refused(options: list[str]) -> None:
    with pytest.raises(ValidationError, match="is not an option here"):
        DockerConfig(image="web:1", options=tuple(options))
