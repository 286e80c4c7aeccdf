"""How long a stop took: as systemd or a command of its own says, else unknown."""

from __future__ import annotations

from gapless.drivers.runtimes.base import Replacement
from gapless.drivers.runtimes.stop_time import LEFT, STOPPED, stop_time
from gapless.drivers.runtimes.systemd_view import observation
from gapless.model import Completed, InstanceState, Observation, Settled, Settlement


def _seen(left: str = "", stopped: str = "") -> Observation:
    return observation({"ActiveState": "active", LEFT: left, STOPPED: stopped})


def _ran(*argvs: str, elapsed: float = 2.5) -> Settled:
    done = tuple(Completed((argv,), 0, "", "", elapsed) for argv in argvs)
    return Settled(Settlement.DONE, done)


_RESTART = Replacement("restart", (), 60.0)


def test_systemd_knows_when_it_left_and_when_it_had_stopped() -> None:
    before, now = _seen("1000000", "1500000"), _seen("9000000", "17250000")
    assert stop_time(before, now, _RESTART, _ran("systemctl")) == 8.25


def test_a_stop_from_before_is_not_this_one() -> None:
    """It had crashed long ago, and there was nothing to stop."""
    before = now = _seen("1000000", "1500000")
    assert stop_time(before, now, _RESTART, _ran("systemctl")) is None


def test_one_that_never_stopped_before() -> None:
    assert stop_time(_seen("0", "0"), _seen("9000000", "9100000"), _RESTART, _ran()) == 0.1


def test_half_of_it_is_nothing() -> None:
    assert stop_time(_seen(), _seen("9000000", "1500000"), _RESTART, _ran()) is None
    assert stop_time(_seen(), _seen("9000000"), _RESTART, _ran()) is None


def test_a_command_of_its_own_took_as_long_as_the_host_says() -> None:
    before = now = Observation(InstanceState.RUNNING)
    stops = Replacement("restart", (), 60.0, stop=("stop",))
    assert stop_time(before, now, stops, _ran("link", "stop", "start")) == 2.5
    assert stop_time(before, now, stops, _ran("link")) is None
    assert stop_time(before, now, _RESTART, _ran("restart")) is None
