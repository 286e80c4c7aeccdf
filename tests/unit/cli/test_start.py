"""Start-up: nothing heavy is imported before it is needed; help, version, unknown verbs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

from gapless.cli.durations import DAY, DurationType
from gapless.cli.group import VERBS

HEAVY = ("pydantic", "asyncssh", "rich", "yaml", "jinja2", "gapless.api", "gapless.config.project")


def imported(*words: str, **env: str) -> set[str]:
    """Modules a command has imported at its end."""
    program = (
        "import sys\nfrom gapless.cli.main import run\n"
        f"try:\n    run({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env=dict(os.environ) | env,
    )  # fmt: skip
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words", [("--help",), ("version",), ("restart", "--help"), ("plan", "--help"), ("bogus",)]
)
def test_nothing_heavy_is_imported(words: tuple[str, ...]) -> None:
    assert not imported(*words) & set(HEAVY)


def test_a_rollout_imports_only_what_rollouts_need() -> None:
    """What one verb needs, the sources of descriptions and the HTTP client of webhooks are left."""
    program = "import sys, gapless.api\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    rare = {"gapless.config.descriptions", "gapless.doctor", "gapless.prove.prover", "http.client"}
    assert not rare & set(done.stdout.decode().split())


def test_help_imports_no_verb() -> None:
    assert not {m for m in imported("--help") if m.startswith("gapless.cli.verbs")}


def test_completing_a_verb_imports_no_verb() -> None:
    env = {"_GAPLESS_COMPLETE": "bash_complete", "COMP_WORDS": "gapless re", "COMP_CWORD": "1"}
    modules = imported("re", **env)
    assert not modules & set(HEAVY)
    assert not {m for m in modules if m.startswith("gapless.cli.verbs")}


def test_help_costs_little() -> None:
    """CPU seconds of the whole program; the limit is generous because machines differ."""

    def cpu() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "gapless", "--help"], capture_output=True, check=True)
        after = os.times()
        user = after.children_user - before.children_user
        return user + after.children_system - before.children_system

    assert min(cpu() for _ in range(5)) < 0.15


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_module_and_help(verb: str, gl: Callable[..., Any]) -> None:
    module = importlib.import_module(f"gapless.cli.verbs.{VERBS[verb][0]}")
    assert isinstance(module.command, click.Command)
    assert module.command.name == verb
    ended = gl(verb, "--help")
    assert ended.code == 0
    assert "Usage: gapless" in ended.out


def test_restart_and_deploy_take_the_same_options() -> None:
    def options(verb: str) -> set[str]:
        module = importlib.import_module(f"gapless.cli.verbs.{verb}")
        return {name for p in module.command.params for name in p.opts}

    assert options("restart") == options("deploy")
    assert options("restart") >= {
        "--hosts", "--batch", "--canary", "--max-failed", "--on-failure", "--reason", "--yes",
        "--force", "--skip-migrations", "--prove", "--json", "--progress", "--environment",
        "--config", "--dry-run",
    }  # fmt: skip


def test_unknown_verbs_and_options_are_usage_errors(gl: Callable[..., Any]) -> None:
    ended = gl("restrat")
    assert (ended.code, "Did you mean 'restart'?" in ended.err) == (2, True)
    assert gl("restart", "--bogus").code == 2
    assert gl("restart", "--progress", "loud").code == 2


def test_version(gl: Callable[..., Any]) -> None:
    assert gl("version").out.startswith("gapless ")
    assert gl("--version").out == gl("version").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, gl: Callable[..., Any]) -> None:
    assert "_GAPLESS_COMPLETE" in gl("completion", shell).out


def test_usage_errors_look_like_all_others_also_for_programs(gl: Callable[..., Any]) -> None:
    ended = gl("restart", "--json", "--nonsense")
    error = json.loads(ended.out)
    assert (ended.code, error["exit_code"], error["error"]["code"]) == (2, 2, "GL-101")
    assert "✗  No such option '--nonsense'" in ended.err
    assert "next    gapless restart --help" in ended.err
    assert "Usage:" not in ended.err


@pytest.mark.parametrize("said", ["0.05", "50ms", "0.05s"])
def test_durations_with_and_without_a_unit(gl: Callable[..., Any], said: str) -> None:
    ended = gl("prove", "--url", "http://127.0.0.1:9/", "--for", said, "--json")
    assert json.loads(ended.out)["exit_code"] == 5


@pytest.mark.parametrize("said", ["x", "0", "25h", "-1", "nan", "2 weeks"])
def test_what_is_no_duration(gl: Callable[..., Any], said: str) -> None:
    assert gl("prove", "--url", "http://127.0.0.1:9/", f"--for={said}").code == 2


@pytest.mark.parametrize(("said", "seconds"), [("0", 0.0), ("0s", 0.0), ("2", 2.0), ("1m", 60.0)])
def test_a_wait_may_be_none(said: str, seconds: float) -> None:
    assert DurationType(DAY, none=True).convert(said, None, None) == seconds
    if not seconds:
        with pytest.raises(click.UsageError):
            DurationType(DAY).convert(said, None, None)
