from __future__ import annotations

import math

import pytest

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes import systemd_view as view
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.model import InstanceState, Observation


@pytest.mark.parametrize(
    ("active", "sub", "load", "state"),
    [
        ("active", "running", "loaded", InstanceState.RUNNING),
        ("active", "exited", "loaded", InstanceState.RUNNING),
        ("reloading", "reload", "loaded", InstanceState.RUNNING),
        ("activating", "start", "loaded", InstanceState.STARTING),
        ("activating", "auto-restart", "loaded", InstanceState.FAILED),
        ("activating", "auto-restart-queued", "loaded", InstanceState.FAILED),
        ("deactivating", "stop-sigterm", "loaded", InstanceState.STOPPING),
        ("inactive", "dead", "loaded", InstanceState.STOPPED),
        ("failed", "failed", "loaded", InstanceState.FAILED),
        ("inactive", "dead", "not-found", InstanceState.MISSING),
        ("inactive", "dead", "masked", InstanceState.MISSING),
        ("active", "running", "not-found", InstanceState.RUNNING),
        ("maintenance", "", "loaded", InstanceState.UNKNOWN),
        ("", "", "", InstanceState.UNKNOWN),
    ],
)
def test_states(active: str, sub: str, load: str, state: InstanceState) -> None:
    shown = {"ActiveState": active, "SubState": sub, "LoadState": load}
    assert view.observation(shown).state is state


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1min 30s", 90.0), ("500ms", 0.5), ("infinity", math.inf), ("2h", 7200.0), ("", 0.0),
        ("0", 0.0), ("1d 2h 3min 4s 5ms 6us", 93784.005006), ("1w", 604800.0),
    ],
)  # fmt: skip
def test_time_spans(text: str, seconds: float) -> None:
    assert view.span(text) == pytest.approx(seconds)


def test_timestamps_are_read_where_their_zone_is_certain() -> None:
    assert view.moment("Sat 2026-11-21 06:12:02 UTC") == 1795241522.0
    assert view.moment("@1795241522") == 1795241522.0
    assert view.moment("Sat 2026-11-21 06:12:02 CST") is None
    assert view.moment("") is None


def test_an_observation_survives_the_journal() -> None:
    shown = {
        "ActiveState": "active", "SubState": "running", "LoadState": "loaded", "MainPID": "12",
        "NRestarts": "3", "InvocationID": "ab", "Result": "success",
    }  # fmt: skip
    seen = view.observation(shown)
    assert (seen.identity, seen.main_pid, seen.restarts) == ("ab", 12, 3)
    assert Observation.from_json(seen.to_json()) == seen


def test_what_must_not_change_while_soaking() -> None:
    shown = {
        "ActiveState": "active", "SubState": "running", "LoadState": "loaded", "MainPID": "12",
        "NRestarts": "0", "InvocationID": "ab",
    }  # fmt: skip
    ready = view.observation(shown)

    def names(unit: str) -> set[str]:
        return set(SystemdRuntime(SystemdConfig(unit=unit), "shop").soak_identity(ready))

    assert names("shop") == {"InvocationID", "NRestarts", "MainPID", "ActiveState", "SubState"}
    assert names("shop.timer") == {"InvocationID", "ActiveState"}


def test_names_with_backslashes_are_quoted_in_lists() -> None:
    told = r'sysinit.target "system-shop\\x2dapi.slice" -.mount'
    assert view.units(told) == ("sysinit.target", r"system-shop\x2dapi.slice", "-.mount")
