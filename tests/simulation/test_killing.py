"""What counts as a kill: an error that comes with one is still an error."""

from __future__ import annotations

import pytest

from gapless.engine.worker import Worker
from gapless.errors import StepError
from gapless.testing.virtual_time import run_virtual
from tests.simulation.killing import ControllerKilled, was_kill
from tests.simulation.run import play
from tests.simulation.scenario import scenario

KILL, ERROR = ControllerKilled(), KeyError("h1")
GROUPS: list[tuple[BaseException, bool]] = [
    (KILL, True),
    (BaseExceptionGroup("", [KILL]), True),
    (BaseExceptionGroup("", [KILL, BaseExceptionGroup("", [KILL])]), True),
    (ERROR, False),
    (ExceptionGroup("", [ERROR]), False),
    (BaseExceptionGroup("", [KILL, ERROR]), False),
    (BaseExceptionGroup("", [KILL, BaseExceptionGroup("", [KILL, ERROR])]), False),
]


@pytest.mark.parametrize(("error", "kill"), GROUPS)
def test_only_a_kill_is_a_kill(error: BaseException, kill: bool) -> None:
    assert was_kill(error) is kill


@pytest.mark.parametrize("error", [error for error, kill in GROUPS if not kill] + [StepError("x")])
def test_any_other_error_of_a_controller_fails_the_simulation(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(worker: Worker, rollout: str) -> None:
        raise error

    monkeypatch.setattr(Worker, "work", work)
    with pytest.raises(type(error)):
        run_virtual(play(scenario(3)))
