"""What a shell completes: services, hosts, rollouts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest

from gapless.cli.completing import (
    Completer,
    complete_hosts,
    complete_instances,
    complete_open_rollouts,
    complete_rollouts,
    complete_services,
    complete_targets,
)
from gapless.engine.journal import RolloutState
from gapless.engine.rollout_ids import rollout_ids
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from tests.unit.cli.conftest import record
from tests.unit.render import streams

CONFIG = """
project: shop
hosts:
  web[1:3].shop.example: {groups: [web]}
  db1.shop.example: {groups: db}
  r[1:500]: {}
  "bad[": {}
services: {shop.api: {on: [db], balancer: edge}, shop.web: {on: [web]}, other: {}}
"""
Complete = Callable[[Completer, str], list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gapless.yaml").write_text(CONFIG)
    monkeypatch.setenv("GAPLESS_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def complete(folder: Path) -> Complete:
    def values(completer: Completer, word: str) -> list[str]:
        ctx = click.Context(click.Command("x"))
        ctx.params = {"config": str(folder / "gapless.yaml"), "environment": None}
        return [item.value for item in completer(ctx, click.Argument(["it"]), word)]

    return values


def journal(folder: Path) -> None:
    """One rollout that is over, one that waits, and one that took the first one back."""
    found = SqliteJournal(folder / "state" / "shop")
    event = Event("rollout.planned", "r", ts=streams.T0)
    for number, id_ in enumerate(("ra-1", "rb-2", "ra-1-undo1")):
        parent = "ra-1" if number == 2 else ""
        entry = replace(record(), id=id_, services=(f"s{number}",), started=float(number))
        entry = replace(entry, parent=parent, state=RolloutState.RUNNING, outcome="")
        found.open_rollout(entry, streams.shop_plan(), event)
    found.close_rollout("ra-1", RolloutState.ENDED, "done", 0, event)


def test_services(complete: Complete) -> None:
    assert complete(complete_services, "shop.") == ["shop.api", "shop.web"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("w", ["web", "web1.shop.example", "web2.shop.example", "web3.shop.example"]),
        ("web3", ["web3.shop.example"]),
        ("web1,!d", ["web1,!db", "web1,!db1.shop.example"]),
        ("db,web2", ["db,web2.shop.example"]),
        ("r", ["r[1:500]"]),
        ("x", []),
    ],
)
def test_hosts_and_groups(complete: Complete, word: str, found: list[str]) -> None:
    assert complete(complete_hosts, word) == found


def test_one_of_several_on_a_host(complete: Complete, folder: Path) -> None:
    several = "{on: [db], balancer: edge, compose: {replicas: 2}}"
    text = CONFIG.replace("{on: [db], balancer: edge}", several)
    (folder / "gapless.yaml").write_text(text)
    host = "shop.api@db1.shop.example"
    assert complete(complete_instances, host) == [host, f"{host}/1", f"{host}/2"]
    assert complete(complete_instances, "shop.api@db/") == []


def test_rollouts(complete: Complete, folder: Path) -> None:
    assert complete(complete_rollouts, "") == []
    journal(folder)
    assert complete(complete_rollouts, "") == ["rb-2", "ra-1"]
    assert complete(complete_rollouts, "ra") == ["ra-1"]
    assert complete(complete_open_rollouts, "") == ["rb-2"]
    assert complete(complete_targets, "") == ["shop.api", "shop.web", "other", "rb-2", "ra-1"]
    ended = rollout_ids(folder / "state" / "shop")[1]
    assert ended.about == "deploy s0, done"


def test_nothing_is_said_when_something_is_wrong(complete: Complete, folder: Path) -> None:
    (folder / "state" / "shop").mkdir(parents=True)
    (folder / "state" / "shop" / "journal.db").write_text("no database")
    assert complete(complete_rollouts, "") == []
    for text in ("services: [", "[]", "hosts: []\nproject: {}"):
        (folder / "gapless.yaml").write_text(text)
        for completer in (complete_services, complete_hosts, complete_rollouts):
            assert complete(completer, "") == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gapless restart --hosts db", "db1.shop.example"),
        ("gapless doctor --hosts db", "db1.shop.example"),
        ("gapless rollback --hosts db", "db1.shop.example"),
        ("gapless lock break sh", "shop.web"),
        ("gapless drain shop.api@db", "shop.api@db1.shop.example"),
        ("gapless admit shop.api@d", "shop.api@db"),
        ("gapless rollback r", "ra-1"),
        ("gapless history r", "ra-1"),
        ("gapless events r", "ra-1"),
        ("gapless watch r", "rb-2"),
        ("gapless resume r", "rb-2"),
        ("gapless abort r", "rb-2"),
        ("gapless pause r", "rb-2"),
        ("gapless promote r", "rb-2"),
    ],
)
def test_in_a_shell(folder: Path, words: str, found: str) -> None:
    journal(folder)
    env = {
        **os.environ, "_GAPLESS_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }  # fmt: skip
    heavy = "import sys; from gapless.cli.main import run\ntry: run([])\nfinally:\n "
    heavy += "print('HEAVY' if {'pydantic', 'rich', 'asyncssh'} & set(sys.modules) else 'light')"
    done = subprocess.run(
        [sys.executable, "-c", heavy], env=env, cwd=folder, capture_output=True, text=True
    )
    assert f"plain,{found}\n" in done.stdout, done
    assert done.stdout.endswith("light\n")
