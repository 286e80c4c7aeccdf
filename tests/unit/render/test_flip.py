"""What is said of a flip."""

from __future__ import annotations

from typing import Any

from gapless.render.flip import render_outcome, render_processes

FLIPPED: dict[str, Any] = {"ok": True, "code": 0, "what": "", "pid": 9, "generation": 4}


def test_the_reason_of_a_failure_is_shown_whole_also_far_from_the_end() -> None:
    reason = "Error: " + "x" * 200
    log = ["long ago"] * 10 + [reason] + [f"    at line {number}" for number in range(25)]
    reply = {"ok": False, "code": 4, "what": "it ended with status 1", "log": log}
    said = render_outcome("flip", "web", reply, None)
    assert reason in said
    assert "at line 24" in said


def test_control_characters_of_a_log_do_nothing() -> None:
    reply = {"ok": False, "code": 4, "what": "it ended", "log": ["\x1b[2Jgone\x07"]}
    assert "\x1b" not in render_outcome("flip", "web", reply, None)


def test_a_flip_back_says_to_what() -> None:
    said = render_outcome("rollback", "web", FLIPPED | {"settings_of": 2}, None)
    assert said.startswith(
        "✓  Rolled back web to the settings of generation 2: generation 4, pid 9"
    )
    said = render_outcome("rollback", "web", FLIPPED | {"settings_of": 0}, None)
    assert "web to the settings of an earlier start: generation 4" in said


def test_what_is_unusual_of_a_flip_that_went_well_is_shown() -> None:
    reply = FLIPPED | {"warnings": ["unix:///a is closed", "tcp://127.0.0.1:1 is closed"]}
    said = render_outcome("flip", "web", reply, None)
    assert "warning unix:///a is closed\n" in said
    assert "warning tcp://127.0.0.1:1 is closed\n" in said


def test_the_first_start_has_told_nobody_to_stop() -> None:
    assert "told to stop" not in render_outcome("wait", "web", FLIPPED | {"replaced": 0}, None)
    assert "told to stop" in render_outcome("wait", "web", FLIPPED | {"replaced": 3}, None)


def test_the_status_says_where_it_listens_whom_it_waits_for_and_who_was_killed() -> None:
    status = {
        "name": "web", "pid": 1, "state": "waiting", "queued": True,
        "waits_for": "generation 1 to end, which has slot b",
        "proxy": [{"listen": "tcp://127.0.0.1:80", "to": "127.0.0.1:8001"}],
        "late": ["generation 1 did not end within 1 s of TERM: killed"],
        "last": {"ok": True, "warnings": ["unix:///a is closed"]},
    }  # fmt: skip
    said = render_processes([status])
    assert "waits   for generation 1 to end, which has slot b" in said
    assert "listen  proxy tcp://127.0.0.1:80 to 127.0.0.1:8001" in said
    assert "late    generation 1 did not end within 1 s of TERM: killed" in said
    assert "warning unix:///a is closed" in said
