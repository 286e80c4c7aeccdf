"""What a container's own test says of it, asked of its engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from gapless.hostside.container_check import ask_container

from .test_containers import engine

TEST = {"Healthcheck": {"Test": ["CMD", "check", "--token=hush"]}}


def ask(path: Path, inspected: Any, status: int = 0) -> tuple[dict[str, Any], list[str]]:
    """The verdict, and what the engine was asked."""
    answers = {
        "/containers/1/json": {"body": inspected},
        "/containers/1/exec": {"body": {"Id": "run"}},
        "/exec/run/start": {"body": ""},
        "/exec/run/json": {"body": {"ExitCode": status}},
    }
    spec = {"socket": str(path / "s"), "id": "1", "name": "web-a"}
    with engine(path / "s", answers if inspected else {}) as asked:
        return ask_container(spec, 5.0, threading.Event()), asked


def running(health: str = "", **config: Any) -> dict[str, Any]:
    state = {"Status": "running", **({"Health": {"Status": health}} if health else {})}
    return {"State": state, "Config": config}


@pytest.mark.parametrize("health", ["starting", "unhealthy"])
@pytest.mark.parametrize(("status", "verdict"), [(0, "PASS"), (1, "FAIL")])
def test_its_test_is_run_at_once_unless_the_engine_calls_it_healthy(
    tmp_path: Path, health: str, status: int, verdict: str
) -> None:
    found, asked = ask(tmp_path, running(health, **TEST), status)
    assert (found["status"], found["answer"]) == (verdict, f"exit {status}")
    assert "/exec/run/start" in asked
    assert "hush" not in str(found)


def test_the_word_of_the_engine_is_enough(tmp_path: Path) -> None:
    found, asked = ask(tmp_path, running("healthy", **TEST))
    assert found["status"] == "PASS"
    assert asked == ["/containers/1/json"]


def test_one_without_a_test_passes_and_says_so(tmp_path: Path) -> None:
    found, asked = ask(tmp_path, running())
    assert found["status"] == "PASS"
    assert found["answer"].startswith("it cannot be told")
    assert asked == ["/containers/1/json"]


@pytest.mark.parametrize(
    ("inspected", "answer"),
    [
        (None, "it is gone"),
        ({"State": {"Status": "paused"}, "Config": TEST}, "it is paused"),
        (
            {"State": {"Status": "exited", "ExitCode": 3}, "Config": TEST},
            "it is exited with status 3",
        ),
        (
            {"State": {"Status": "exited", "ExitCode": 137}, "Config": TEST},
            "it is exited with status 137 (killed)",
        ),
    ],
)
def test_one_that_does_not_run_fails(tmp_path: Path, inspected: Any, answer: str) -> None:
    found, _ = ask(tmp_path, inspected)
    assert (found["status"], found["answer"]) == ("FAIL", answer)


def test_no_engine_is_no_knowledge(tmp_path: Path) -> None:
    spec = {"socket": str(tmp_path / "none"), "id": "1", "name": "web-a"}
    assert ask_container(spec, 1.0, threading.Event())["status"] == "INCONCLUSIVE"
