"""restart, deploy, plan, rollback, resume …: what is asked of the API, shown and returned."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from gapless.cli import going_back, rolling
from gapless.engine.journal import RolloutState
from gapless.errors import ConfigError, LockHeld, Problem, StalePlan
from gapless.planning import store
from gapless.render.choose import renderer
from tests.unit.cli.conftest import Api, Ended, record
from tests.unit.render import streams

Run = Callable[..., Ended]


def test_restart_passes_on_what_was_said(api: Api, gl: Run) -> None:
    ended = gl(
        "restart", "shop.api", "--hosts", "web[1:3]", "--batch", "25%", "--canary", "1",
        "--max-failed", "2", "--on-failure", "stop", "--skip-migrations", "--reason", "new certs",
        "--yes", "-e", "staging", "-c", "other.yaml",
    )  # fmt: skip
    assert ended.code == 0
    assert api.called("load") == {"path": "other.yaml", "environment": "staging"}
    assert api.called("make_plan") == {
        "verb": "restart", "services": ("shop.api",), "hosts": "web[1:3]", "batch": "25%",
        "canary": "1", "max_failed": 2, "on_failure": "stop", "skip_migrations": True,
        "no_way_back": False, "force": None, "offline": False, "promote_from": "",
    }  # fmt: skip
    done = api.called("execute")
    assert (done["reason"], done["prove"], done["check_stale"]) == ("new certs", False, False)


def test_results_go_to_stdout_and_progress_to_stderr(api: Api, gl: Run) -> None:
    ended = gl("deploy", "--yes", "--progress", "plain")
    assert ended.out.startswith("✓  Deployed")
    assert "gap     4,210 requests sent" in ended.out
    assert "web1 shop.api  ready" in ended.err
    assert "ready in" not in ended.out


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (streams.success, 0), (streams.refused_preflight, 3), (streams.not_ready, 4),
        (streams.rollback_failed, 5), (streams.lock_held, 6), (streams.paused, 7),
        (streams.interrupted, 130),
    ],
)  # fmt: skip
def test_exit_codes(api: Api, gl: Run, make: Any, code: int) -> None:
    api.stream = make
    ended = gl("deploy", "--yes", "--progress", "quiet", "--json")
    assert ended.code == code
    assert json.loads(ended.out)["exit_code"] == code
    assert ended.err == ""


def test_json_keeps_the_failure_screen_for_people(api: Api, gl: Run) -> None:
    api.stream = streams.not_ready
    ended = gl("deploy", "--yes", "--json", "--progress", "plain")
    assert json.loads(ended.out)["failures"][0]["code"] == "GL-402"
    assert "✗  shop.api on web3: not ready after 30 s" in ended.err


def test_nothing_to_do(api: Api, gl: Run) -> None:
    api.plan = streams.shop_plan(services=())
    ended = gl("restart", "--yes")
    assert (ended.code, "Nothing to do" in ended.out) == (0, True)
    assert "execute" not in [name for name, _, _ in api.calls]


def test_without_a_terminal_yes_is_needed_and_no_host_is_asked(api: Api, gl: Run) -> None:
    ended = gl("deploy")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert [name for name, _, _ in api.calls] == ["load"]


def test_force_needs_a_reason(api: Api, gl: Run) -> None:
    assert gl("restart", "--force", "--yes").code == 2
    assert gl("plan", "--force").code == 2
    assert gl("restart", "--force", "--reason", "endpoint broken", "--yes").code == 0
    assert api.called("make_plan")["force"] == "endpoint broken"


def test_prove_needs_something_to_ask(api: Api, gl: Run) -> None:
    ended = gl("restart", "--prove", "--yes")
    assert (ended.code, "prove section" in ended.err) == (2, True)
    assert "make_plan" not in [name for name, _, _ in api.calls]


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 3)])
def test_a_terminal_is_shown_the_plan_and_asked(
    api: Api, gl: Run, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    monkeypatch.setattr(rolling, "terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *args, **more: answer)
    ended = gl("deploy", "--progress", "quiet")
    assert ended.code == code
    assert "deploy shop — 2 services" in ended.err
    assert ("execute" in [name for name, _, _ in api.calls]) is answer


def test_dry_run_is_plan(api: Api, gl: Run) -> None:
    assert gl("deploy", "--dry-run").out == gl("plan", "deploy").out
    assert "execute" not in [name for name, _, _ in api.calls]


def test_plan_exit_code(api: Api, gl: Run) -> None:
    assert gl("plan", "--exit-code").code == 3, "another rollout of it is not over"
    api.journal.rows = []
    assert gl("plan", "--exit-code").code == 10
    assert gl("plan").code == 0
    api.plan = streams.shop_plan(services=())
    assert gl("plan", "--exit-code").code == 0


def test_plan_verb_and_services(api: Api, gl: Run) -> None:
    gl("plan", "deploy", "shop.api", "--offline")
    made = api.called("make_plan")
    assert (made["verb"], made["services"], made["offline"]) == ("deploy", ("shop.api",), True)


def test_plan_json_is_the_plan(api: Api, gl: Run) -> None:
    data = json.loads(gl("plan", "--json").out)
    assert data["digest"] == api.plan.digest


def test_a_written_plan_is_the_one_carried_out(api: Api, gl: Run, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert f"gapless deploy {file}" in gl("plan", "deploy", "-o", str(file)).err
    assert store.load(file).digest == api.plan.digest
    api.calls.clear()
    assert gl("deploy", str(file), "--yes").code == 0
    assert api.called("execute")["check_stale"] is True
    assert "make_plan" not in [name for name, _, _ in api.calls]


def test_a_ready_plan_takes_no_other_verb_and_no_options(api: Api, gl: Run) -> None:
    assert gl("restart", "plan.json", "--yes").code == 2
    assert gl("deploy", "plan.json", "--batch", "2", "--yes").code == 2


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (ConfigError((Problem("gapless.yaml", 3, 5, "unknown key", "did you mean"),)), 2),
        (StalePlan("moved", next="gapless plan"), 3),
        (LockHeld("owned by bob"), 6),
        (BaseExceptionGroup("tasks", [LockHeld("owned by bob")]), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_have_their_exit_codes(api: Api, gl: Run, problem: BaseException, code: int) -> None:
    api.problem = problem
    ended = gl("restart", "--yes")
    assert ended.code == code
    assert ended.out == ""


def test_errors_as_json(api: Api, gl: Run) -> None:
    api.problem = LockHeld("owned by bob", next="gapless lock")
    ended = gl("restart", "--yes", "--json")
    assert json.loads(ended.out)["error"]["code"] == "GL-301"
    assert "owned by bob" in ended.err


def test_a_bug_is_short_and_leaves_a_private_file(api: Api, gl: Run, tmp_path: Path) -> None:
    api.problem = ZeroDivisionError("oh")
    ended = gl("restart", "--yes")
    assert ended.code == 1
    assert "Traceback" not in ended.err
    (path,) = (tmp_path / "bugs").iterdir()
    assert str(path) in ended.err
    assert "ZeroDivisionError: oh" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_rollback(api: Api, gl: Run) -> None:
    gl("rollback", "shop.api", "--hosts", "web3", "--yes", "--reason", "bad")
    assert api.called("make_rollback") == {"target": "shop.api", "hosts": "web3"}
    assert api.called("execute")["reason"] == "bad"
    api.calls.clear()
    gl("rollback", "--yes")
    assert api.called("execute")["reason"] == "takes rtouehn-7f3a back"


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 3)])
def test_rollback_shows_its_plan_and_asks(
    api: Api, gl: Run, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    monkeypatch.setattr(going_back, "terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", lambda *args, **more: answer)
    ended = gl("rollback", "shop.api", "--progress", "quiet")
    assert ended.code == code
    assert f"{streams.NEW} → {streams.OLD} on web1 web2" in ended.err
    assert "execute" in [name for name, _, _ in api.calls] or not answer


def test_rollback_refuses_when_the_journal_moved_while_it_was_asked(
    api: Api, gl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moves(*args: object, **more: object) -> bool:
        api.back = streams.shop_plan(parent="another")
        return True

    monkeypatch.setattr(going_back, "terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", moves)
    ended = gl("rollback", "shop.api")
    assert (ended.code, "GL-203" in ended.err) == (3, True)


def test_plan_rollback_is_its_dry_run(api: Api, gl: Run) -> None:
    planned = gl("plan", "rollback", "shop.api", "--hosts", "web3")
    assert api.called("make_rollback") == {"target": "shop.api", "hosts": "web3"}
    assert planned.out == gl("rollback", "shop.api", "--hosts", "web3", "--dry-run").out
    assert planned.code == 0
    for words in (("a", "b"), ("--batch", "2"), ("-o", "x.json")):
        assert gl("plan", "rollback", *words).code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("restart store --hosts here", "gapless restart store --hosts here"),
        ("deploy api --reason 'bad day' -v", "gapless deploy api --reason 'bad day' -v"),
        ("rollback api --hosts 'web[1:2]'", "gapless rollback api --hosts 'web[1:2]'"),
        ("restart -e prod a b -c x.yaml", "gapless restart -c x.yaml -e prod a b"),
        ("deploy --skip-migrations --batch 25%", "gapless deploy --batch 25% --skip-migrations"),
        ("lock break api --reason 'is gone'", "gapless lock break api --reason 'is gone'"),
    ],
)
def test_the_command_that_is_told_does_no_more_than_was_asked(
    api: Api, gl: Run, words: str, told: str
) -> None:
    ended = gl(*shlex.split(words))
    text = " ".join(ended.err.split())
    assert ended.code == 2
    assert f"{told} --yes" in text
    assert words.startswith("lock") or f"next {told} --dry-run, then" in text
    assert {name for name, _, _ in api.calls} <= {"load", "make_rollback"}, "read, and no more"


def test_a_plan_goes_without_services(api: Api, gl: Run) -> None:
    ended = gl("deploy", "p5.json", "web", "--yes")
    assert (ended.code, "p5.json is a plan" in ended.err) == (2, True)


def test_a_verb_that_was_spelled_wrong(api: Api, gl: Run) -> None:
    ended = gl("plan", "deply", "shop.api")
    assert "neither a verb nor a service 'deply'" in ended.err
    assert "next    gapless plan deploy shop.api" in ended.err


def test_a_terminal_shows_since_when_a_rollout_goes_on(
    api: Api, gl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed or aborted: its begin is in the journal, not in what happens from now on."""
    shown: list[list[str]] = []

    def remembering(mode: str, stream: Any, plan: Any, **more: Any) -> Any:
        shown.append([event.type for event in more["before"]])
        return renderer("quiet", stream)

    monkeypatch.setattr("gapless.cli.running.renderer", remembering)
    api.journal.record = record(RolloutState.INTERRUPTED)
    for verb in ("resume", "abort"):
        gl(verb, "rtouehn-7f3a")
    assert [types[0] for types in shown] == ["rollout.planned"] * 2
    api.journal.alive = [True]
    gl("abort", "rtouehn-7f3a")
    assert shown[-1] == [], "a living controller is watched from its first event on"


def test_abort_and_resume(api: Api, gl: Run) -> None:
    gl("abort", "rtouehn-7f3a")
    assert api.called("abort")["rollout"] == "rtouehn-7f3a"
    gl("resume")
    assert api.called("resume")["rollout"] == "rtouehn-7f3a"
    assert "signal" not in [name for name, _, _ in api.calls]


def test_resume_asks_a_living_controller(api: Api, gl: Run) -> None:
    api.journal.alive = [True]
    ended = gl("resume", "rtouehn-7f3a")
    assert api.called("signal") == {"rollout": "rtouehn-7f3a", "request": "resume"}
    assert "gapless watch rtouehn-7f3a" in ended.err


def test_promote_goes_on_here_when_nobody_else_does(api: Api, gl: Run) -> None:
    gl("promote", "rtouehn-7f3a", "--reason", "looks good")
    assert api.called("signal")["request"] == "promote"
    assert api.called("approve") == {"rollout": "rtouehn-7f3a", "reason": "looks good"}
    assert api.called("resume")["rollout"] == "rtouehn-7f3a"


def test_pause(api: Api, gl: Run) -> None:
    assert "gapless resume rtouehn-7f3a" in gl("pause").err
    assert api.called("signal")["request"] == "pause"


def test_watch_ends_with_the_code_of_the_rollout(api: Api, gl: Run) -> None:
    api.journal.alive = [True, False]
    api.journal.record = record(state=__import__("gapless").engine.journal.RolloutState.RUNNING)
    ended = gl("watch", "--progress", "plain")
    assert ended.code == 4
    assert "FAILED  web3 shop.api" in ended.err
    assert "✗  shop.api on web3" in ended.out


class Slow(Api):
    """A rollout that goes on until somebody asks it to end."""

    signals = 1

    def __hash__(self) -> int:
        return id(self)

    async def execute(self, project: Any, plan: Any, **more: Any) -> Any:
        interrupts = more["interrupts"]
        for event in streams.Stream().begin().events:
            more["observer"](event)
        for _ in range(self.signals):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.02)
        self.calls.append(
            ("asked", (), {"stop": interrupts.stop, "undo": interrupts.undo.is_set()})
        )
        if self.signals > 2:
            await asyncio.sleep(5)
        self.stream = streams.interrupted
        return self._rollout("execute", plan, **more)


@pytest.mark.parametrize(
    ("signals", "undo", "said"),
    [(1, False, "Finishing the current batch"), (2, True, "Undoing the current batch")],
)
def test_ctrl_c(
    gl: Run, monkeypatch: pytest.MonkeyPatch, signals: int, undo: bool, said: str
) -> None:
    api = _slow(monkeypatch, signals)
    ended = gl("deploy", "--yes", "--progress", "plain")
    assert ended.code == 130
    assert api.called("asked") == {"stop": True, "undo": undo}
    assert said in ended.err


def test_third_ctrl_c_leaves_and_says_how_to_go_on(
    gl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _slow(monkeypatch, 3)
    ended = gl("deploy", "--yes", "--progress", "quiet")
    assert ended.code == 130
    assert "gapless resume rtouehn-7f3a" in ended.err


def _slow(monkeypatch: pytest.MonkeyPatch, signals: int) -> Slow:
    import sys

    import gapless

    api = Slow()
    api.signals = signals
    monkeypatch.setitem(sys.modules, "gapless.api", api)
    monkeypatch.setattr(gapless, "api", api, raising=False)
    return api
