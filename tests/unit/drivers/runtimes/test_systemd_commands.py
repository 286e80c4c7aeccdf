"""The exact commands, without a host."""

from __future__ import annotations

import pytest

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.errors import Refused
from gapless.model import Command, InstanceState
from gapless.testing.fake_unit import Behaviour
from tests.unit.drivers.runtimes.bench import DROPIN, FILE, STORE, UNIT, Bench, lines, play

RESET = f"systemctl reset-failed -- {UNIT}"
RESTART = [RESET, f"systemctl restart -- {UNIT}"]
RELOAD = f"systemctl reload -- {UNIT}"
DAEMON_RELOAD = "systemctl daemon-reload"


def test_a_restart_gets_the_units_own_limits_on_top() -> None:
    async def case(bench: Bench) -> None:
        replacement = await bench.runtime.replacement(bench.transport, {}, True)
        assert replacement.manner == "restart"
        assert lines(replacement.commands) == RESTART
        reset, restart = replacement.commands
        assert (reset.check, restart.check) == (False, True)
        assert restart.timeout == 10.0 + 5.0 + 20.0
        assert replacement.timeout > restart.timeout + reset.timeout

    play(case, unit_timeout_stop=5.0, unit_timeout_start=20.0)


def test_a_unit_without_limits_gets_one() -> None:
    async def case(bench: Bench) -> None:
        replacement = await bench.runtime.replacement(bench.transport, {}, True)
        assert replacement.commands[-1].timeout == 10.0 + 600.0 + 600.0

    play(case, unit_timeout_stop=float("inf"), unit_timeout_start=float("inf"))


def test_files_changed_behind_systemds_back_are_taken_in() -> None:
    async def case(bench: Bench) -> None:
        bench.host.files.write(FILE, "[Service]\nExecStart=/edited\n")
        replacement = await bench.runtime.replacement(bench.transport, {}, True)
        assert lines(replacement.commands) == [DAEMON_RELOAD, *RESTART]

    play(case)


def test_staged_unit_files_are_moved_into_place_first() -> None:
    async def case(bench: Bench) -> None:
        bench.host.files.write("/staged/shop.service", "[Service]\nExecStart=/new\n", 0o600)
        install = {"/staged/shop.service": FILE}
        replacement = await bench.runtime.replacement(bench.transport, install, False)
        beside = "/etc/systemd/system/.gapless-shop.service"
        assert lines(replacement.commands) == [
            f"install -D -m 0644 -- /staged/shop.service {beside}",
            f"mv -fT -- {beside} {FILE}",
            DAEMON_RELOAD,
            *RESTART,
        ]
        await bench.run(replacement.commands)
        node = bench.host.files.node(FILE)
        assert node is not None
        assert (node.content, node.mode) == (b"[Service]\nExecStart=/new\n", 0o644)
        assert bench.unit.properties()["NeedDaemonReload"] == "no"

    play(case)


@pytest.mark.parametrize("reload", ["no", "try", "only"])
def test_a_unit_that_is_not_there_is_installed_enabled_and_started(reload: str) -> None:
    async def case(bench: Bench) -> None:
        bench.host.files.remove(FILE)
        bench.unit.load()
        bench.host.files.write("/staged/shop.service", "[Service]\nExecStart=/new\n", 0o600)
        replacement = await bench.runtime.replacement(
            bench.transport, {"/staged/shop.service": FILE}, False
        )
        assert replacement.manner == "install"
        assert lines(replacement.commands)[2:] == [
            DAEMON_RELOAD,
            f"systemctl enable -- {UNIT}",
            RESET,
            f"systemctl start -- {UNIT}",
        ]

    play(case, running=False, reload=reload)


def test_going_back_to_nothing_is_stopping_and_removing() -> None:
    async def case(bench: Bench) -> None:
        bench.host.files.remove(FILE)
        bench.unit.load()
        kept = await bench.runtime.snapshot(bench.transport, STORE)
        snapshot = RuntimeSnapshot.from_json(kept.to_json())
        assert snapshot.absent
        bench.host.files.write(FILE, "[Service]\nExecStart=/new\n")
        bench.host.files.write(DROPIN, "[Service]\nNice=1\n")
        bench.unit.run_already()
        restoration = await bench.runtime.restoration(bench.transport, snapshot)
        assert lines(restoration.commands) == [
            f"systemctl stop -- {UNIT}",
            RESET,
            f"systemctl disable -- {UNIT}",
            f"mkdir -p -- {STORE}/removed/etc/systemd/system",
            f"mv -fT -- {FILE} {STORE}/removed{FILE}",
            f"mkdir -p -- {STORE}/removed/etc/systemd/system/shop.service.d",
            f"mv -fT -- {DROPIN} {STORE}/removed{DROPIN}",
            DAEMON_RELOAD,
        ]
        await bench.run(restoration.commands)
        now = await bench.runtime.observe(bench.transport)
        assert now.state is InstanceState.MISSING
        assert bench.runtime.manual(snapshot)[0] == f"sudo systemctl disable --now {UNIT}"

    play(case, running=False)


@pytest.mark.parametrize(
    ("reload", "able", "manner", "fallback"),
    [
        ("try", True, "reload", RESTART),
        ("try", False, "restart", []),
        ("only", True, "reload", []),
        ("no", True, "restart", []),
    ],
)
def test_reload_where_asked_and_possible(
    reload: str, able: bool, manner: str, fallback: list[str]
) -> None:
    async def case(bench: Bench) -> None:
        replacement = await bench.runtime.replacement(bench.transport, {}, True)
        assert replacement.manner == manner
        assert lines(replacement.commands) == ([RELOAD] if manner == "reload" else RESTART)
        assert lines(replacement.fallback) == fallback

    play(case, reload=reload, unit_can_reload=able)


def test_a_unit_that_is_down_is_not_reloaded() -> None:
    async def case(bench: Bench) -> None:
        assert (await bench.runtime.replacement(bench.transport, {}, True)).manner == "restart"

    play(case, reload="try", unit_can_reload=True, running=False)


@pytest.mark.parametrize(("install", "able"), [({"/staged/x": FILE}, True), ({}, False)])
def test_where_only_a_reload_is_allowed_nothing_else_is_done(
    install: dict[str, str], able: bool
) -> None:
    async def case(bench: Bench) -> None:
        with pytest.raises(Refused, match="reload: only"):
            await bench.runtime.replacement(bench.transport, install, not install)

    play(case, reload="only", unit_can_reload=able)


def test_a_reload_shows_in_the_last_change_of_state() -> None:
    async def case(bench: Bench) -> None:
        before = await bench.runtime.observe(bench.transport)
        assert not bench.runtime.replaced(before, before, "reload")
        await bench.run((Command(("systemctl", "reload", UNIT)),))
        now = await bench.runtime.observe(bench.transport)
        assert bench.runtime.replaced(before, now, "reload")
        assert not bench.runtime.replaced(before, now, "restart")

    play(case, unit_can_reload=True)


def test_going_back_when_nothing_differs_is_stop_and_start() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        back = await bench.runtime.restoration(bench.transport, snapshot)
        assert lines(back.commands) == [
            f"systemctl stop -- {UNIT}",
            RESET,
            f"systemctl start -- {UNIT}",
        ]

    play(case)


def test_going_back_restores_changed_files_and_removes_new_ones() -> None:
    async def case(bench: Bench) -> None:
        files = bench.host.files
        files.write(FILE, "[Service]\nExecStart=/old\n", 0o640)
        bench.unit.load()
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        files.write(FILE, "[Service]\nExecStart=/new\n")
        files.write(DROPIN, "[Service]\nLimitNOFILE=1\n")
        bench.unit.load()
        back = await bench.runtime.restoration(bench.transport, snapshot)
        beside = "/etc/systemd/system/.gapless-shop.service"
        assert lines(back.commands) == [
            f"systemctl stop -- {UNIT}",
            f"cp -aT -- {STORE}{FILE} {beside}",
            f"mv -fT -- {beside} {FILE}",
            f"mkdir -p -- {STORE}/removed/etc/systemd/system/{UNIT}.d",
            f"mv -fT -- {DROPIN} {STORE}/removed{DROPIN}",
            DAEMON_RELOAD,
            RESET,
            f"systemctl start -- {UNIT}",
        ]
        await bench.run(back.commands)
        node = files.node(FILE)
        assert node is not None
        assert (node.content, node.mode) == (b"[Service]\nExecStart=/old\n", 0o640)
        assert not files.exists(DROPIN)
        assert files.exists(f"{STORE}/removed{DROPIN}")

    play(case)


def test_an_empty_snapshot_removes_nothing() -> None:
    async def case(bench: Bench) -> None:
        back = await bench.runtime.restoration(bench.transport, RuntimeSnapshot())
        assert not [line for line in lines(back.commands) if line.startswith(("mv", "cp"))]

    play(case)


def test_a_unit_that_hit_its_start_limit_is_brought_back() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        bench.unit.active, bench.unit.result = "failed", "start-limit-hit"
        bench.unit._starts = [0.0] * 10
        await bench.run((await bench.runtime.restoration(bench.transport, snapshot)).commands)
        assert bench.unit.running

    play(case)


def test_what_may_only_be_reloaded_goes_back_by_a_reload() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        back = await bench.runtime.restoration(bench.transport, snapshot)
        assert (back.manner, lines(back.commands)) == ("reload", [RELOAD])

    play(case, reload="only", unit_can_reload=True)


def test_a_start_that_blocks_is_given_its_time() -> None:
    async def case(bench: Bench) -> None:
        replacement = await bench.runtime.replacement(bench.transport, {}, True)
        await bench.run(replacement.commands)
        assert bench.unit.running

    play(case, unit_behaviour=Behaviour(start=60.0, stop=30.0))


def test_the_manual_way_back_has_real_paths() -> None:
    async def case(bench: Bench) -> None:
        snapshot = await bench.runtime.snapshot(bench.transport, STORE)
        assert bench.runtime.manual(snapshot) == (
            f"sudo systemctl stop {UNIT}",
            f"sudo cp -a {STORE}{FILE} {FILE}",
            "sudo systemctl daemon-reload",
            f"sudo systemctl reset-failed {UNIT}",
            f"sudo systemctl start {UNIT}",
            f"sudo systemctl status {UNIT}",
        )

    play(case)
