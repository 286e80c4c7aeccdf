"""Where rollouts stand, in status, history and lock; and ids and types that do not exist."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gapless.cli.standing import standing
from gapless.engine.journal import RolloutState
from gapless.events.event import Event
from gapless.render.moments import any_sentence
from gapless.status import StatusRow
from tests.unit.cli.conftest import Api, Ended, FakeJournal, record
from tests.unit.render import streams

Run = Callable[..., Ended]


def project(journal: FakeJournal) -> object:
    class Project:
        pass

    made = Project()
    made.journal = journal  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("types", "alive", "state"),
    [
        ((), True, "running"),
        ((), False, "interrupted"),
        (("rollout.paused",), True, "paused"),
        (("rollout.paused", "rollout.resumed"), True, "running"),
    ],
)
def test_standing(types: tuple[str, ...], alive: bool, state: str) -> None:
    journal = FakeJournal()
    journal.stream = [Event(name, "r", seq=n + 1) for n, name in enumerate(types)]
    journal.alive = [alive]
    row = record(RolloutState.RUNNING)
    assert standing(project(journal), row).state == state  # type: ignore[arg-type]


def test_status_tells_of_mixed_versions_and_open_rollouts(api: Api, gl: Run) -> None:
    async def status(*args: object) -> list[StatusRow]:
        return [
            StatusRow("shop.api", host, "running", release)
            for host, release in (("web1", "b"), ("web2", "a"), ("web3", "a"))
        ]

    api.status = status  # type: ignore[attr-defined]
    api.journal.rows = [record(RolloutState.PAUSED)]
    ended = gl("status", "-c", "two.yaml")
    assert "shop.api runs mixed versions  b: web1   a: web2 web3" in ended.out
    assert "is paused (rollout rtouehn-7f3a)" in ended.out
    assert "gapless resume -c two.yaml rtouehn-7f3a" in ended.out


def test_a_type_that_no_event_has(api: Api, gl: Run) -> None:
    ended = gl("events", "--type", "step.faild")
    assert (ended.code, "near: step.failed" in ended.err) == (2, True)


def test_events_tell_facts(api: Api, gl: Run) -> None:
    out = gl("events").out
    assert "begun: 4 instances to replace" in out
    assert "PASS: GET http://127.0.0.1:3001/health → 200" in out
    assert "intent recorded" not in out
    for event in streams.success():
        assert any_sentence(event).strip()


def test_a_question_that_is_left_with_ctrl_c_says_so(
    api: Api, gl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import click

    from gapless.cli import rolling

    def left(*args: object, **more: object) -> bool:
        raise click.Abort

    monkeypatch.setattr(rolling, "terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", left)
    ended = gl("restart")
    assert (ended.code, "Nothing was changed." in ended.err) == (130, True)


def test_an_exit_code_is_explained(gl: Run) -> None:
    assert gl("explain", "4").out == "   4  failed; the old version is restored and checked\n"
    assert "Default: 1." in gl("explain", "services.rollout.batch").out
