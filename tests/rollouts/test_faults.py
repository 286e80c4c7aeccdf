"""Faults on real hosts: what is done is done once, what failed is taken back, and it says so."""

from __future__ import annotations

import json

from tests.rollouts.site import Site, kill


def test_an_unreachable_host_refuses_before_any_change(small_site: Site) -> None:
    first, second = small_site.hosts
    before = small_site.invocations()
    second.power_cut()
    done = small_site.run("restart", "--yes", "--reason", "test", check=3)
    second.boot_again()
    assert second.name in done.stderr + done.stdout
    assert small_site.invocations()[first.name] == before[first.name]


def test_a_crash_after_ready_is_caught_by_the_soak_and_taken_back(small_site: Site) -> None:
    small_site.run("deploy", "--yes", check=0)
    config = small_site.folder / "gapless.yaml"
    config.write_text(config.read_text().replace("soak: 1s", "soak: 5s"))
    small_site.new_release(VERSION="2", BEHAVIOUR="crash_after", CRASH_AFTER="2")
    done = small_site.run("deploy", "--yes", check=4)
    assert set(small_site.versions().values()) == {"1"}
    failed = [e for e in small_site.events() if e["type"] == "step.failed"]
    assert failed[0]["step"] == "soak"
    assert "rolled back" in done.stderr.lower() or "restored" in done.stderr.lower()


def test_a_unit_that_never_starts_is_taken_back(small_site: Site) -> None:
    small_site.run("deploy", "--yes", check=0)
    small_site.new_release(VERSION="2", BEHAVIOUR="exit_at_start")
    small_site.run("deploy", "--yes", check=4)
    assert set(small_site.versions().values()) == {"1"}


def test_a_full_disk_stops_before_anything_running_is_changed(small_site: Site) -> None:
    first = small_site.hosts[0]
    before = small_site.invocations()
    small_site.new_release(VERSION="2", PADDING="x" * 2_000_000)
    first.fill_disk(leave=100_000)
    done = small_site.run("deploy", "--yes")
    first.empty_disk()
    assert done.returncode in (3, 4), done.stdout + done.stderr
    assert small_site.invocations() == before
    assert "space" in done.stderr + done.stdout
    left = first.run(["ls", "-A", "/srv/shop-api/releases"]).stdout
    assert "incoming" not in left


def test_a_controller_killed_at_any_step_is_resumed_without_a_second_restart(
    small_site: Site,
) -> None:
    for step in ("snapshot", "drain", "switch", "ready", "admit", "soak"):
        before = {host.name: small_site.started(host) for host in small_site.hosts}
        running = small_site.start("restart", "--yes", "--reason", step)
        small_site.wait_for_new("step.started", step=step)
        kill(running)
        small_site.run("resume", check=0)
        after = {host.name: small_site.started(host) for host in small_site.hosts}
        assert {name: after[name] - before[name] for name in after} == dict.fromkeys(after, 1), step


def test_a_killed_rollout_can_be_aborted_and_everything_goes_back(small_site: Site) -> None:
    small_site.run("deploy", "--yes", check=0)
    small_site.new_release(VERSION="2")
    running = small_site.start("deploy", "--yes", "--reason", "abort me")
    small_site.wait_for_new("instance.done")
    kill(running)
    small_site.run("abort", check=4)
    assert set(small_site.versions().values()) == {"1"}
    assert all(status == "UP" for status in small_site.proxy.status().values())


def test_a_second_rollout_is_refused_with_who_since_when_and_why(small_site: Site) -> None:
    config = small_site.folder / "gapless.yaml"
    config.write_text(config.read_text().replace("soak: 1s", "soak: 15s"))
    running = small_site.start("restart", "--yes", "--reason", "certificates")
    small_site.wait_for_new("step.started")
    done = small_site.run("restart", "--yes", check=6)
    assert "certificates" in done.stderr + done.stdout
    elsewhere = Site(small_site.folder, small_site.hosts, small_site.proxy)
    elsewhere.env = {"GAPLESS_STATE": str(small_site.folder / "other-controller")}
    done = elsewhere.run("restart", "--yes", check=6)
    assert "certificates" in done.stderr + done.stdout
    assert running.wait(60) == 0


def test_a_connection_cut_in_the_middle_of_the_restart_repeats_nothing(small_site: Site) -> None:
    first = small_site.hosts[0]
    before = small_site.started(first)
    running = small_site.start("restart", "--yes")
    small_site.wait_for_new("step.started", step="switch")
    first.run(["pkill", "-f", "sshd: deploy"], check=False)
    out, _ = running.communicate(timeout=90)
    assert running.returncode == 0, out
    assert small_site.started(first) == before + 1


def test_a_host_that_reboots_in_the_middle_is_waited_for(small_site: Site) -> None:
    first = small_site.hosts[0]
    running = small_site.start("restart", "--yes")
    small_site.wait_for_new("step.started", host=first.name, step="switch")
    first.reboot()
    out, _ = running.communicate(timeout=90)
    assert running.returncode in (0, 4), out
    if running.returncode == 0:
        assert set(small_site.versions().values()) == {"1"}
    assert all(status == "UP" for status in small_site.proxy.status().values())


def test_status_and_doctor_tell_the_truth_about_a_frozen_host(small_site: Site) -> None:
    first, second = small_site.hosts
    first.freeze()
    try:
        done = small_site.run("status", "--json")
    finally:
        first.thaw()
    rows = {row["host"]: row for row in json.loads(done.stdout)}
    assert rows[first.name]["state"] == "unknown"
    assert rows[second.name]["state"] == "running"
