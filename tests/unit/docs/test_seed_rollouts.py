"""Seed 000, line by line, as whole rollouts: real engine, real systemd driver, virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.systemd import SystemdRuntime
from gapless.engine.outcome import Ending
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS, Behaviour
from gapless.testing.virtual_time import run_virtual

from .seed_site import HOSTS, SeedSite

Story = Callable[[], Awaitable[Ending]]


def run(story: Story) -> Ending:
    return run_virtual(story())  # type: ignore[arg-type]


# -- graceful reload --------------------------------------------------------------------------


def reloading(behaviour: Behaviour | None = None) -> SeedSite:
    site = SeedSite({"systemd": {"unit": "api", "reload": "try"}})
    for host in HOSTS:
        site.unit(host).can_reload = True
        if behaviour is not None:
            site.unit(host).behaviour = behaviour
    return site


def test_reload_is_tried_first() -> None:
    site = reloading()
    assert run(site.restart).exit_code == 0
    assert [deed.what for deed in site.world.deeds("reload", "restart")] == ["reload", "reload"]


def test_a_unit_that_cannot_reload_is_restarted() -> None:
    site = SeedSite({"systemd": {"unit": "api", "reload": "try"}})
    assert run(site.restart).exit_code == 0
    assert [deed.what for deed in site.world.deeds("reload", "restart")] == ["restart", "restart"]


def test_a_reload_that_fails_falls_back_to_restart() -> None:
    site = reloading(Behaviour(reload_fails=True))
    assert run(site.restart).exit_code == 0
    did = [deed.what for deed in site.world.deeds("reload", "restart", host="web1")]
    assert did == ["reload", "restart"]


def test_a_reload_that_systemd_did_not_see_is_no_success() -> None:
    """A command that returns 0 proves nothing: the unit must have passed through "reloading"."""
    site = reloading()
    runtime = SystemdRuntime(SystemdConfig(unit="api", reload="try"), "api")

    async def story() -> tuple[bool, bool]:
        transport = site.world.transport("web1")
        await transport.connect()
        before = await runtime.observe(transport)
        unseen = runtime.replaced(before, await runtime.observe(transport), "reload")
        await site.unit().reload()
        return unseen, runtime.replaced(before, await runtime.observe(transport), "reload")

    assert run_virtual(story()) == (False, True)


# -- backup and the way back ------------------------------------------------------------------


def copies(site: SeedSite, host: str = "web1") -> list[str]:
    """Copies of unit files on a host."""
    nodes = site.host(host).files.nodes
    return sorted(path for path in nodes if path.endswith("/etc/systemd/system/api.service"))


def test_unit_file_and_drop_ins_are_copied_before_anything_is_changed() -> None:
    site = SeedSite()
    site.host("web1").files.write("/etc/systemd/system/api.service.d/limits.conf", "[Service]\n")
    site.unit().load()
    assert run(site.restart).exit_code == 0
    kept = [path for path in site.host("web1").files.nodes if "/snapshots/" in path]
    assert any(path.endswith("/etc/systemd/system/api.service") for path in kept)
    assert any(path.endswith("/api.service.d/limits.conf") for path in kept)
    order = [event.step for event in site.events if event.type == "step.started"]
    assert order.index("snapshot") < order.index("switch")


def test_a_second_failed_deploy_never_overwrites_the_last_good_copy() -> None:
    site = SeedSite({"rollout": {"canary": 1}})

    async def story() -> Ending:
        site.unit().behaviours["v2"] = NEVER_READY
        await site.deploy("v2")
        site.unit().behaviours["v3"] = NEVER_READY
        return await site.deploy("v3")

    assert run(story).exit_code == 4
    assert len(copies(site)) == 3  # the unit itself, and one copy for each rollout


def test_code_and_unit_file_go_back_together(tmp_path: Path) -> None:
    new = tmp_path / "api.service"
    new.write_text("[Service]\nExecStart=/usr/bin/api --new\n")
    site = SeedSite({"systemd": {"unit": "api", "file": str(new)}, "rollout": {"canary": 1}})
    site.unit().behaviours["v2"] = NEVER_READY
    before = site.host("web1").files.read("/etc/systemd/system/api.service")
    assert run(site.deploy).exit_code == 4
    assert site.world.deeds("restart", host="web1"), "it never came to the new one"
    assert site.host("web1").files.read("/etc/systemd/system/api.service") == before
    assert site.versions() == ["v1", "v1"]
    assert site.unit().serving
    assert site.unit().version == "v1"


def test_the_way_back_stops_restores_reloads_systemd_and_starts(tmp_path: Path) -> None:
    new = tmp_path / "api.service"
    new.write_text("[Service]\nExecStart=/usr/bin/api --new\n")
    site = SeedSite({"systemd": {"unit": "api", "file": str(new)}, "rollout": {"canary": 1}})
    site.unit().behaviours["v2"] = NEVER_READY
    assert run(site.deploy).exit_code == 4
    assert site.world.deeds("restart", host="web1"), "it never came to the new one"
    acts = [about for _, host, verb, about in site.world.calls if verb == "act" and host == "web1"]
    back = acts[-1].splitlines()
    steps = ("systemctl stop", "cp ", "systemctl daemon-reload", "systemctl start")
    found = [next(i for i, line in enumerate(back) if line.startswith(step)) for step in steps]
    assert found == sorted(found)
    assert [t for t in site.types() if t.startswith("rollback.")] == [
        "rollback.started",
        "rollback.succeeded",
    ]


def test_a_way_back_that_fails_is_an_outcome_of_its_own() -> None:
    site = SeedSite({"rollout": {"canary": 1}})
    site.unit().behaviours.update(v2=NEVER_STARTS, v1=NEVER_STARTS)
    ending = run(site.deploy)
    assert (ending.outcome, ending.exit_code) == ("mixed", 5)
    failed = next(event for event in site.events if event.type == "rollback.failed")
    assert failed.host == "web1"
    assert any("systemctl start api.service" in line for line in failed.data["manual"])


# -- triggers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [0.1, 0.4, 1.0, 2.5, 5.0, 9.9, 15.0, 29.0])
def test_a_crash_loop_of_any_period_is_never_green(period: float) -> None:
    site = SeedSite()
    for host in HOSTS:
        site.unit(host).behaviours["v2"] = Behaviour(crash_after=period, healthy_after=0.05)
    ending = run(site.deploy)
    assert ending.exit_code == 4
    assert site.versions() == ["v1", "v1"]


def test_a_failed_unit_is_not_waited_for() -> None:
    site = SeedSite({"rollout": {"canary": 1}})
    site.unit().behaviours["v2"] = NEVER_STARTS

    async def story() -> Ending:
        ending = await site.deploy()
        assert site.world.clock.monotonic() < 60
        return ending

    assert run(story).exit_code == 4


def test_without_a_check_the_state_of_the_unit_decides() -> None:
    site = SeedSite({"health": None, "rollout": {"canary": 1}})
    site.unit().behaviours["v2"] = NEVER_STARTS
    assert run(site.deploy).exit_code == 4
    assert site.versions() == ["v1", "v1"]


# -- preflight --------------------------------------------------------------------------------


def test_unhealthy_before_means_untouched() -> None:
    site = SeedSite()
    site.unit("web2").become_unhealthy()
    assert run(site.restart).exit_code == 3
    assert site.world.deeds("restart", "stop", "start", "reload") == []


def test_a_unit_that_does_not_exist_is_refused() -> None:
    site = SeedSite({"systemd": "apii"})
    assert run(site.restart).exit_code == 3


def test_what_the_unit_requires_must_be_up() -> None:
    site = SeedSite()
    site.unit().requires = ("db.service",)
    site.host("web1").add_unit("db.service")
    ending = run(site.restart)
    assert ending.exit_code == 3
    assert ending.error is not None
    assert "db.service" in ending.error.what + ending.error.evidence


# -- migrations -------------------------------------------------------------------------------


def test_the_migration_runs_once_in_the_new_release_before_the_first_switch() -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy"}})
    assert run(site.deploy).exit_code == 0
    assert [command.cwd for command in site.ran] == ["/srv/api/releases/v2"]
    order = [event.step for event in site.events if event.type == "step.succeeded"]
    assert order.index("migrate") < order.index("switch")


def test_a_failed_migration_stops_before_anything_restarts() -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy"}}, migration_status=1)
    ending = run(site.deploy)
    assert ending.exit_code == 4
    assert site.world.deeds("restart", "stop", "start", "reload") == []
    failed = next(event for event in site.events if event.type == "migration.failed")
    assert "P3018" in failed.data["evidence"]


def test_skipped_migrations_do_not_run() -> None:
    site = SeedSite({"migrate": {"run": "migrate deploy"}})

    async def story() -> Ending:
        return await site.deploy(skip_migrations=True)

    assert run(story).exit_code == 0
    assert site.ran == []


# -- order, force, limits ---------------------------------------------------------------------


def test_what_depends_on_a_failed_service_is_not_begun_and_told_why() -> None:
    site = SeedSite({"after": ["db"]}, {"db": {}, "mail": {}})
    site.unit("web1", "db").behaviours["v2"] = NEVER_READY
    assert run(site.deploy).exit_code in (4, 5)
    skipped = [event for event in site.events if event.type == "service.skipped"]
    assert [(event.service, event.data["why"]) for event in skipped] == [("api", "db is not done")]
    assert site.world.deeds("restart", unit="api.service") == []
    assert site.versions("mail") == ["v2", "v2"]  # nothing else stops


def test_force_restarts_what_is_down_and_says_so() -> None:
    site = SeedSite()
    site.unit().active, site.unit().sub, site.unit().healthy = "failed", "failed", False
    assert run(site.restart).exit_code == 3

    async def story() -> Ending:
        return await site.restart(force="down since 03:12")

    assert run(story).exit_code == 0
    assert site.unit().serving
    forced = next(event for event in site.events if event.type == "force.used")
    assert forced.reason == "down since 03:12"


def test_every_systemd_command_has_the_grace_limit() -> None:
    site = SeedSite()
    runtime = SystemdRuntime(SystemdConfig(unit="api"), "api")

    async def story() -> list[tuple[str, float]]:
        transport = site.world.transport("web1")
        await transport.connect()
        snapshot = await runtime.snapshot(transport, "/var/lib/gapless/s")
        back = await runtime.restoration(transport, snapshot)
        forward = await runtime.replacement(transport, {"/staged": "/etc/x"}, False)
        return [(str(c), c.timeout) for c in (*forward.commands, *back.commands)]

    limits = dict(run_virtual(story()))
    unit_limit = 90.0
    for line, limit in limits.items():
        verb = line.split()[1]
        extra = {"restart": 2 * unit_limit, "stop": unit_limit, "start": unit_limit}.get(verb, 0)
        assert limit == 10.0 + extra, line
