"""Services that commands start and stop: a first start, one that does not come up, and silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.faults.pool import HOSTS, Pool

pytestmark = pytest.mark.real


def test_first_start_of_a_command_service(tmp_path: Path) -> None:
    """Every screen names the command that goes on, and it does."""
    pool = Pool(tmp_path)
    for host in HOSTS:
        (tmp_path / "run" / host).unlink()
    told = pool.gapless("doctor", "--hosts", "h1", code=3)
    going_on = 'gapless restart api --hosts h1 --force --reason "..."'
    assert f"sh {tmp_path}/ctl start h1 starts it; or: {going_on}" in told
    told = pool.gapless("restart", "api", "--hosts", "h1", "--yes", code=3)
    assert f"next gapless doctor --hosts h1 or {going_on}" in told
    told = pool.gapless("restart", "api", "--yes", code=3)
    assert f"or {going_on.replace('h1', 'h1,h2,h3')}" in told
    forced = ("--force", "--reason", "first start")
    pool.gapless("restart", "api", "--hosts", "h1,h2,h3", *forced, "--yes", code=0)
    assert all(pool.identity(host) for host in HOSTS)


def test_first_release_of_a_command_service(tmp_path: Path) -> None:
    pool = Pool(tmp_path, release=f"release: {{directory: app, to: {tmp_path}/srv}}")
    pool.edit("on: [h1, h2, h3]", "on: h1")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "v").write_text("1")
    (tmp_path / "run" / "h1").unlink()
    told = pool.gapless("doctor", code=3)
    going_on = 'gapless deploy api --hosts h1 --force --reason "..."'
    assert f"or: {going_on}" in told
    assert f"or {going_on}" in pool.gapless("deploy", "--yes", code=3)
    pool.gapless("deploy", "api", "--hosts", "h1", "--force", "--reason", "x", "--yes", code=0)
    assert pool.identity("h1")
    assert (tmp_path / "srv" / "current" / "v").read_text() == "1"


def test_command_service_that_does_not_start(tmp_path: Path) -> None:
    """It is not called the old copy: nothing runs any more."""
    pool = Pool(tmp_path)
    (tmp_path / "refuse.h1").touch()
    told = pool.gapless("restart", "api", "--yes", code=5)
    look = f"sh {tmp_path}/ctl status h1"
    assert f"it was started, but `{look}` says stopped" in told
    assert "still the old one" not in told
    assert "systemctl" not in told
    assert f"next {look}" in told
    again = 'gapless restart api --hosts h1 --force --reason "..."'
    assert f"gapless status api; then {again} Failed" in told
    (tmp_path / "refuse.h1").unlink()
    forced = ("--force", "--reason", "it starts again")
    pool.gapless("restart", "api", "--hosts", "h1", *forced, "--yes", code=0)
    assert pool.identity("h1")


def test_what_was_restarted_is_told_once(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    (tmp_path / "refuse.h2").touch()
    told = pool.gapless("restart", "api", "--yes", code=5)
    assert "now api restarted: h1 " in told
    assert "(restarted)" not in told


@pytest.mark.parametrize("verb", ["status", "stop"])
def test_command_of_a_service_that_hangs(tmp_path: Path, verb: str) -> None:
    pool = Pool(tmp_path)
    ctl = tmp_path / "ctl"
    ctl.write_text(f"[ $1.$2 = {verb}.h1 ] && sleep 100\n{ctl.read_text()}")
    config = tmp_path / "gapless.yaml"
    config.write_text(config.read_text().replace("timeout: 3s", "timeout: 2s"))
    if verb == "status":
        told = pool.gapless("status", code=0)
        assert f"INCONCLUSIVE sh {tmp_path}/ctl status h1 → no answer in 2 s" in told
        told = pool.gapless("restart", "api", "--hosts", "h1", "--yes", code=3)
        assert "status: unknown: no answer in 2 s" in told
        assert "--force" not in told
    else:
        told = pool.gapless("restart", "api", "--hosts", "h1", "--yes", code=4)
        # 2 s, and what a busy machine adds; what is not to hang has time enough there, too
        assert f"sh {tmp_path}/ctl stop h1 did not end in 2" in told


def test_doctor_of_a_machine_that_is_not_fit(tmp_path: Path) -> None:
    """Everything it finds has a remedy; and it leaves nothing behind."""
    (tmp_path / "blocker").touch()
    bad = f"{{transport: local, state_dir: {tmp_path}/blocker/x, sudo: false}}"
    pool = Pool(tmp_path, hosts=f"  h1: {bad}\n  h2: {bad.replace('blocker', 'a')}\n  h3: {bad}")
    told = pool.gapless("doctor", "--hosts", "h1", code=3)
    assert "✗ h1: state" in told
    assert "Not a directory remedy make it a folder that" in told
    assert "state_dir of h1 in gapless.yaml" in told
    assert "1 problem." in told
    told = pool.gapless("doctor", "--hosts", "h2", code=0)
    assert not list((tmp_path / "a").rglob("writable*"))
