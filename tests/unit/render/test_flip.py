"""What is said of a flip."""

from __future__ import annotations

from gapless.render.flip import render_outcome


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
