from __future__ import annotations

from typing import Any

import pytest

from gapless.model import Verdict
from tests.unit.drivers.runtimes.bench import FILE, UNIT, Bench, play


def examined(prepare: Any = None, running: bool = True, **settings: Any) -> list[Verdict]:
    found: list[Verdict] = []

    async def case(bench: Bench) -> None:
        if prepare is not None:
            prepare(bench)
        found.extend(await bench.runtime.preflight(bench.transport))

    play(case, running=running, **settings)
    return found


def failing(found: list[Verdict]) -> list[tuple[str, str]]:
    return [(verdict.check, verdict.answer) for verdict in found if not verdict.passed]


def test_a_fit_unit_passes_with_evidence() -> None:
    found = examined()
    assert not failing(found)
    assert [v.check for v in found] == ["privilege", "unit", "active"]
    assert all(v.asked and v.answer for v in found)


@pytest.mark.parametrize(
    ("load", "answer", "remedy"),
    [
        ("not-found", "there is no such unit", "daemon-reload"),
        ("masked", "the unit is masked", f"systemctl unmask {UNIT}"),
        ("bad-setting", "a setting in the unit's file is wrong", f"systemd-analyze verify {UNIT}"),
        ("error", "systemd cannot read the unit's file", f"systemd-analyze verify {UNIT}"),
        ("stub", "LoadState stub", "LoadState loaded"),
    ],
)
def test_a_unit_that_does_not_load_has_its_own_text(load: str, answer: str, remedy: str) -> None:
    found = examined(lambda b: b.unit.extra.update(LoadState=load), running=False)
    assert failing(found) == [("unit", answer)]
    assert remedy in found[-1].wanted


def test_a_unit_whose_file_was_deleted_under_it_is_named() -> None:
    found = examined(lambda b: b.unit.extra.update(LoadState="not-found"))
    assert failing(found) == [("unit", "it runs, but its file is gone")]


def test_a_unit_that_is_down_has_no_state_to_go_back_to() -> None:
    assert failing(examined(running=False)) == [("active", "inactive (dead)")]


def test_a_crash_loop_is_called_one() -> None:
    def loop(bench: Bench) -> None:
        bench.unit.crash()
        bench.unit.restarts = 7

    found = examined(loop)
    assert failing(found) == [
        ("active", "in a crash loop: systemd has restarted it 7 times"),
    ]
    assert found[-1].look == f"journalctl -u {UNIT} -n 50"
    assert "journalctl" not in found[-1].wanted, "a command is nothing that anybody wants"


@pytest.mark.parametrize("kind", ["Requires", "BindsTo", "Requisite"])
def test_what_it_requires_must_run(kind: str) -> None:
    def prepare(bench: Bench) -> None:
        bench.host.add_unit("db.service", service="db")
        bench.unit.extra[kind] = "sysinit.target system.slice db.service"

    (found,) = failing(examined(prepare))
    assert found == ("dependency", "db.service is inactive (dead)")


def test_a_dependency_that_has_done_its_work_is_no_problem() -> None:
    def prepare(bench: Bench) -> None:
        bench.host.add_unit("keys.service", type="oneshot")
        bench.unit.extra["Requires"] = "keys.service"

    assert not failing(examined(prepare))


@pytest.mark.parametrize(("reload", "fails"), [("only", True), ("try", False)])
def test_a_unit_that_cannot_reload(reload: str, fails: bool) -> None:
    found = examined(reload=reload)
    assert bool(failing(found)) is fails
    assert found[-1].check == "reload"
    assert "cannot reload" in found[-1].answer


def test_without_sudo_it_is_said_how_to_get_it() -> None:
    def prepare(bench: Bench) -> None:
        bench.host.privileged = False

    found = examined(prepare)
    assert failing(found) == [("privilege", "deploy, may not act as root")]
    assert "sudo" in found[0].wanted


def test_trouble_of_the_host_is_passed_on() -> None:
    def prepare(bench: Bench) -> None:
        bench.host.problems = ("cannot write the host's state: Read-only file system",)

    assert failing(examined(prepare))[0][0] == "host"


def test_a_job_under_way_is_waited_out_by_the_person() -> None:
    assert failing(examined(lambda b: b.unit.extra.update(Job="412")))[0][0] == "job"


def test_slow_stops_and_edited_files_are_noted_and_not_refused() -> None:
    found = examined(lambda b: b.host.files.write(FILE, "edited"), unit_timeout_stop=float("inf"))
    assert not failing(found)
    assert [v.check for v in found[-2:]] == ["limits", "files"]


def test_a_member_of_a_cluster_is_given_the_time_that_it_needs_to_stop() -> None:
    """Its stages take 45 s together; systemd would kill it in the middle of them."""
    found = examined(unit_timeout_stop=30.0, stops=45.0)
    assert failing(found) == [("limits", "it may need 45 s to stop, and is killed after 30 s")]
    assert found[-1].wanted == "TimeoutStopSec=45 or more in the unit: systemctl edit shop.service"
    assert not failing(examined(unit_timeout_stop=45.0, stops=45.0))
    assert not failing(examined(unit_timeout_stop=float("inf"), stops=45.0))
