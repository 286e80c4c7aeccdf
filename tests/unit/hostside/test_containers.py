"""What a host tells of its containers: nothing that may hold secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.containers import containers
from gapless.hostside.faults import Fault

from .engine import engine

INSPECTED: dict[str, Any] = {
    "Id": "1" * 64,
    "Name": "/shop-web-1",
    "Image": "sha256:1",
    "RestartCount": 0,
    "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"},
    "Config": {
        "Image": "web:1",
        "Env": ["TOKEN=hush"],
        "Cmd": ["web", "--token=hush"],
        "Labels": {"com.docker.compose.project": "shop", "gapless.slot": "a", "theirs": "hush"},
        "StopTimeout": 3,
    },
    "HostConfig": {"AutoRemove": False},
    "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "10.0.0.2"}}},
    "Mounts": [
        {"Type": "volume", "Name": "data", "Source": "/x", "RW": True, "Destination": "/data"}
    ],
}


def look(path: Path) -> dict[str, Any]:
    return containers(
        Call(1, "containers", {"socket": str(path), "labels": ["a=b"], "timeout": 5.0})
    )


def test_no_environment_no_command_and_no_foreign_label_leave_the_host(tmp_path: Path) -> None:
    path = tmp_path / "s"
    answers = {
        "/containers/json": {"body": [{"Id": "1" * 64}, {"Id": "2" * 64}]},
        f"/containers/{'1' * 64}/json": {"body": INSPECTED},
        "/images/web:1/json": {"body": {"Id": "sha256:2"}},
    }
    with engine(path, answers) as asked:
        told = look(path)
    assert "hush" not in json.dumps(told)
    one = told["containers"]
    assert len(one) == 1, "the second has gone between two questions"
    assert one[0]["name"] == "shop-web-1"
    assert one[0]["addresses"] == {"shop_default": "10.0.0.2"}
    assert one[0]["volumes"] == ["data"]
    assert told["images"] == {"web:1": "sha256:2"}
    assert '{"label": ["a=b"]}' in asked[0]


def test_what_the_engine_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    path = tmp_path / "s"
    refused = {"/containers/json": {"status": 500, "body": {"message": "no space left"}}}
    with engine(path, refused), pytest.raises(Fault, match="no space left"):
        look(path)


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=str(tmp_path / "none")):
        look(tmp_path / "none")
