"""No screen tells a command that would act elsewhere: each repeats the -c and -e of the person."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import gapless.render
from gapless.engine.journal import RolloutRecord, RolloutState
from gapless.errors import ConfigError, LockHeld, Problem
from gapless.events.event import Event
from gapless.lockholders import HostLock
from gapless.model import Verdict, VerdictStatus
from gapless.plans import Batch, Plan, Untouched, Verb
from gapless.render.error import render_error
from gapless.render.frame import frame
from gapless.render.locks import render_broken
from gapless.render.moments import moment_line
from gapless.render.plan import render_plan
from gapless.render.result import render_report
from gapless.render.spelling import COMMAND, remember, spelled
from gapless.render.tables import render_check, render_doctor, render_locks, render_waiting
from gapless.report.fold import progress_of
from gapless.report.report import LeftOut, Undone
from gapless.report.summarize import summarize
from tests.unit.render import streams
from tests.unit.render.test_screens import ENDINGS

RENDER = Path(gapless.render.__file__).parent
WAITS = RolloutRecord(
    "rtou", "shop", "deploy", ("shop.api",), "d" * 64, "al", "ops1", 1, streams.T0,
    state=RolloutState.PAUSED,
)  # fmt: skip


@pytest.fixture(autouse=True)
def given() -> Iterator[None]:
    remember("b.yaml", "staging", "gapless.yaml")
    yield
    remember("gapless.yaml", None, "gapless.yaml")


def unspelled(text: str) -> list[str]:
    """Commands of a screen without what was given; lines are joined, as screens wrap."""
    flat = " ".join(text.split())
    return [
        m[0] for m in COMMAND.finditer(flat) if m["said"].rstrip(".") != " -c b.yaml -e staging"
    ]


def plan() -> Plan:
    """One that tells commands wherever a plan can."""
    api = streams.shop_plan().services[1]
    lines = tuple(f"+{number}" for number in range(40))
    change = {"file": "/etc/a", "hosts": ["web1"], "lines": lines, "notes": ()}
    api = replace(
        api,
        notes=("web2: drained by hand; gapless admit shop.api@web2 ends it",),
        batches=(Batch("batch1", ("web2",), "eqiad", approve=True), Batch("b2", ("web3",), "c")),
        config_changes=(change,),
    )
    left = Untouched("shop.api", ("web9",), "it runs another process; gapless deploy brings it")
    return streams.shop_plan(services=(api,), untouched=(left,))


def left_out() -> Event:
    data = {"balancer": "edge", "next": "gapless admit shop.api@web2"}
    stream = streams.Stream().begin()
    return stream.add("instance.left_out", "shop.api", "web2", "admit", **data).events[-1]


def screens() -> dict[str, Callable[[], str]]:
    found = {
        name: (lambda make=make: render_report(summarize(streams.shop_plan(), make())))
        for name, (make, _) in ENDINGS.items()
    }
    report = summarize(streams.shop_plan(), streams.rollback_failed())
    again = "gapless admit shop.api@web2"
    told = replace(
        report,
        undone=(Undone("shop.api", "web2", False, manual=(again,)),),
        left_out=(LeftOut("shop.api", "web2", "edge", "", again),),
    )
    lock = HostLock("shop.api", "rtou", "al", "ops1", 1, streams.T0, "", True, ("web2",))
    problem = Problem("gapless.yaml", 1, 1, "no", "gapless check tells more")
    failed = Verdict(VerdictStatus.FAIL, "ssh", "web2", "refused", "an answer")
    return {
        **found,
        "by hand": lambda: render_report(told),
        "plan": lambda: render_plan(plan()),
        "drain": lambda: render_plan(replace(plan(), verb=Verb.DRAIN)),
        "locks": lambda: render_locks((), streams.T0, [WAITS], [lock]),
        "broken": lambda: render_broken("shop.api", None, (), ("web2",), streams.T0),
        "waiting": lambda: render_waiting(WAITS),
        "doctor": lambda: render_doctor([_Row("web2", "ssh", failed, "gapless doctor")]),
        "check": lambda: render_check("shop", {"": (1, 1)}, "b.yaml", "gapless doctor"),
        "error": lambda: render_error(LockHeld("owned", next="gapless watch x")),
        "config": lambda: render_error(ConfigError((problem,))),
        "left out": lambda: moment_line(left_out()),
        "waits": lambda: "\n".join(map(moment_line, streams.waits_for_approval())),
        "live": _live,
    }


class _Row:
    def __init__(self, host: str, check: str, verdict: Verdict, remedy: str) -> None:
        self.host, self.check, self.verdict, self.remedy = host, check, verdict, remedy


def _live() -> str:
    progress = progress_of(streams.shop_plan(), [left_out()])
    rows = frame(progress, moment_line(left_out()), progress.now, width=200)
    return "\n".join(row.text for row in rows)


@pytest.mark.parametrize("name", sorted(screens()))
def test_each_command_repeats_what_was_given(name: str) -> None:
    text = screens()[name]()
    assert unspelled(text) == []


def test_the_test_sees_commands_that_lack_it() -> None:
    remember("gapless.yaml", None, "gapless.yaml")
    shown = {name for name, make in screens().items() if unspelled(make())}
    assert shown >= {"by hand", "plan", "drain", "locks", "broken", "waiting", "doctor", "check"}
    assert shown >= {"error", "config", "left out", "waits", "live", "paused", "interrupted"}


def test_what_a_file_or_a_program_says_is_shown_as_it_is() -> None:
    line = "+ExecStart=gapless deploy api"
    change = {"file": "/etc/a", "hosts": ["web1"], "lines": (line,), "notes": ()}
    api = replace(streams.shop_plan().services[1], config_changes=(change,))
    assert line in render_plan(streams.shop_plan(services=(api,)), diff=True)


def test_commands_written_in_screens_are_spelled_there() -> None:
    """A new one that is not is found before a person finds it."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in sorted(RENDER.glob("*.py"))
        if path.name not in ("codes.py", "spelling.py")  # explanations, which are no commands
        for node in _bare(ast.parse(path.read_text()))
    ]
    assert found == []


def _bare(tree: ast.AST, *, inside: bool = False) -> Iterator[ast.Constant]:
    """Literals with a command that no call which spells holds, but docstrings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        held = inside or name in ("spelled", "following")
        text = node.value if isinstance(node, ast.Constant) else ""
        if isinstance(node, ast.Constant) and not held and re.search(COMMAND, str(text)):
            yield node
        yield from _bare(node, inside=held)


def test_a_command_is_spelled_once() -> None:
    once = spelled("gapless resume x   or   gapless abort x")
    assert spelled(once) == once
