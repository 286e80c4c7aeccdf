"""What is told of a flip or a start that came to nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gapless.drivers.runtimes import process_start as start
from gapless.drivers.runtimes import process_view as view
from gapless.drivers.runtimes.base import Refusal, RuntimeSnapshot
from gapless.drivers.runtimes.process import _way_back
from gapless.model import Completed

REPLY = {"ok": False, "code": 4, "what": "not ready after 3 s", "evidence": "503", "log": ["no"]}


def flip(**changes: Any) -> Completed:
    told = json.dumps({**REPLY, **changes})
    return Completed(("gapless", "flip", "web"), 4, told, "", 1.0)


def started(stderr: str, **changes: Any) -> Completed:
    argv = start.as_session("gapless", "/f.json", "web", "/f.log", 9.0).argv
    return Completed(argv, 1, "", stderr, 1.0, **changes)


def test_a_flip_that_failed() -> None:
    told = view.refusal(flip(pid=7, serves={"pid": 5}))
    assert told == Refusal(
        "not flipped: not ready after 3 s",
        "the new copy (pid 7)\n503\npid 5 was not touched and serves on",
        "no",
    )


def test_no_copy_was_started_only_when_the_supervisor_says_so() -> None:
    told = view.refusal(flip(pid=0))
    assert told is not None
    assert told.evidence == "no new copy was started\n503"
    told = view.refusal(flip(pid=0, code=5, what="the supervisor ended", evidence="closed"))
    assert told is not None
    assert told.evidence == "closed"


def test_a_start_is_told_by_the_last_word_of_its_supervisor() -> None:
    lines = (
        "gapless run web: generation 1 failed: not ready\nTraceback\n"
        "gapless run web: the start failed: cannot listen on tcp://127.0.0.1:80. In use\n"
    )
    told = start.failure(started(lines))
    assert told == Refusal("not started: cannot listen on tcp://127.0.0.1:80", "In use", lines)
    told = start.failure(started("user: there is no user x here\n"))
    assert told is not None
    assert told.what == "not started: gapless run ended"


def test_the_log_of_the_newest_copy() -> None:
    log = "a\ngapless run web: generation 1 serves, process 5\nold\n"
    log += "gapless run web: generation 2 serves, process 6\nnew\n"
    assert view.newest(log) == "gapless run web: generation 2 serves, process 6\nnew"
    assert view.newest("nobody knows whose\n") == ""


def test_other_commands_and_late_ones_speak_for_themselves() -> None:
    assert start.failure(flip()) is None
    assert start.failure(started("", timed_out=True)) is None


@pytest.mark.parametrize(
    ("rollback_to", "pid", "verb"),
    [(2, 7, "rollback"), (1, 7, "flip"), (None, 7, "flip"), (2, 8, "flip")],
)
def test_the_way_back_is_to_the_settings_that_served(
    rollback_to: int | None, pid: int, verb: str
) -> None:
    """A flip that changed no settings leaves the supervisor with those of an older copy."""
    told = {
        "pid": pid, "since": 1.0, "state": "idle", "rollback_to": rollback_to,
        "active": {"generation": 3, "pid": 9, "seconds": {}},
    }  # fmt: skip
    now = view.seen(Completed(("gapless",), 0, json.dumps(told), "", 1.0), 0.0)
    assert _way_back(RuntimeSnapshot(facts={"identity": "7-1.000-2"}), now) == verb


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("its program was killed by SIGKILL at 2026-11-22 04:50:39 (exit 137)", "failed"),
        ("its program ended with status 3 at 2026-11-22 04:50:39 (exit 3)", "failed"),
        ("its supervisor was killed, and the program with it", "failed"),
        ("its program ended with status 0 at 2026-11-22 04:50:39 (exit 0)", "stopped"),
        ("", "stopped"),
    ],
)
def test_one_that_died_was_not_stopped(how: str, state: str) -> None:
    error = {"what": "nothing is supervised as web in /run/gapless", "evidence": how}
    argv = ("gapless", "run", "status", "web", "--json")
    told = view.seen(Completed(argv, 3, json.dumps({"error": error}), "", 0.1), 0.0)
    assert told.observation.state.value == state
    assert told.observation.detail["status"] == (how or error["what"])
