"""The first deploy of a unit to a host that has none: installed, or as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.plans import from_json, to_json
from gapless.render.result import render_report
from gapless.report.summarize import summarize
from gapless.testing.fake_traffic import Traffic
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS, Behaviour
from gapless.testing.faults import Fault, What
from gapless.testing.virtual_time import run_virtual
from tests.unit.docs.seed_site import HOSTS, SeedSite

FRAGMENT = "/etc/systemd/system/api.service"


@pytest.fixture
def unit_file(tmp_path: Path) -> Path:
    file = tmp_path / "api.service"
    file.write_text("[Service]\nExecStart=/srv/api/current/run\n")
    return file


def site_without(unit_file: Path, *hosts: str, balanced: bool = False) -> SeedSite:
    """A site whose ``hosts`` never saw the service."""
    more = {"balancer": ["edge"]} if balanced else {}
    site = SeedSite(
        {"systemd": {"unit": "api", "file": str(unit_file)}, **more},
        looks=True,
        balancers=("edge",) if balanced else (),
    )
    for name in hosts:
        files, unit = site.host(name).files, site.unit(name)
        files.remove("/srv/api")
        files.remove(FRAGMENT)
        unit.power_off()
        unit.load()
        unit.enabled = False
    if balanced:
        Traffic(site.world, "edge", ("api",))
    return site


def state(site: SeedSite, host: str) -> tuple[bool, bool, bool]:
    """Whether there is a unit file, whether it is enabled, and whether it serves."""
    unit = site.unit(host)
    return site.host(host).files.exists(FRAGMENT), unit.enabled, unit.serving


@pytest.mark.parametrize("balanced", [False, True])
def test_a_missing_unit_is_installed_enabled_and_started(unit_file: Path, balanced: bool) -> None:
    site = site_without(unit_file, *HOSTS, balanced=balanced)
    assert run_virtual(site.deploy("v1")).exit_code == 0
    assert [state(site, host) for host in HOSTS] == [(True, True, True)] * 2
    assert site.host("web1").files.read(FRAGMENT) == unit_file.read_bytes()
    assert site.world.serving("api") == 2
    assert site.plan is not None
    assert "api: installs api.service (not on web1, web2 yet); undo removes it" in (
        site.plan.services[0].notes
    )
    assert from_json(to_json(site.plan)) == site.plan


def test_a_restart_of_a_missing_unit_is_still_refused(unit_file: Path) -> None:
    site = site_without(unit_file, "web1")
    ending = run_virtual(site.restart())
    assert ending.exit_code == 3
    assert ending.error is not None
    assert "there is no such unit" in ending.error.what


def test_a_unit_missing_since_the_plan_was_made_is_refused(unit_file: Path) -> None:
    """Only what the plan says is installed: everything else that is gone is a surprise."""
    site = site_without(unit_file, "web1")
    site.looks = False
    ending = run_virtual(site.deploy("v1"))
    assert ending.exit_code == 3
    assert ending.error is not None
    assert "there is no such unit" in ending.error.what


@pytest.mark.parametrize("bad", [NEVER_STARTS, NEVER_READY, Behaviour(crash_after=5.0)])
@pytest.mark.parametrize("balanced", [False, True])
def test_a_failed_install_is_removed_again(unit_file: Path, bad: Behaviour, balanced: bool) -> None:
    site = site_without(unit_file, *HOSTS, balanced=balanced)
    site.unit("web1").behaviours["v1"] = bad
    ending = run_virtual(site.deploy("v1"))
    assert ending.exit_code == 4
    assert [state(site, host) for host in HOSTS] == [(False, False, False)] * 2
    assert not site.unit("web1").running
    assert not site.host("web1").files.exists("/srv/api/current")
    assert ending.serving["api"]["web1"] == "not installed"
    screen = render_report(summarize(site.plan, site.events))
    assert "web1  api: removed, as it was not there before" in screen
    assert "old version is restored" not in screen


def test_what_was_left_out_is_let_in_by_the_next_deploy(unit_file: Path) -> None:
    async def story(site: SeedSite) -> None:
        site.unit("web1").behaviours["v1"] = NEVER_STARTS
        assert (await site.deploy("v1")).exit_code == 4
        assert "instance.left_out" in site.types()
        assert (await site.deploy("v2")).exit_code == 0

    site = site_without(unit_file, *HOSTS, balanced=True)
    run_virtual(story(site))
    assert site.world.serving("api") == 2


def test_an_installed_instance_is_taken_back_when_a_later_one_fails(unit_file: Path) -> None:
    site = site_without(unit_file, *HOSTS)
    site.unit("web2").behaviours["v1"] = NEVER_READY
    ending = run_virtual(site.deploy("v1"))
    assert ending.exit_code == 4
    assert [state(site, host) for host in HOSTS] == [(False, False, False)] * 2
    assert ending.serving["api"] == {"web1": "not installed", "web2": "not installed"}


def test_rollback_of_a_first_deploy_removes_it(unit_file: Path) -> None:
    async def story(site: SeedSite) -> dict[str, str]:
        assert (await site.deploy("v1")).exit_code == 0
        ending = await site.take_back("v1")
        assert ending.exit_code == 0
        return dict(ending.serving["api"])

    site = site_without(unit_file, "web1")
    served = run_virtual(story(site))
    assert state(site, "web1") == (False, False, False)
    assert not site.host("web1").files.exists("/srv/api/current")
    assert state(site, "web2") == (True, True, True)
    assert served["web1"] == "not installed"
    assert "last_good" not in site.host("web1").memory["seed.api"]


def test_a_new_host_counts_as_broken_until_it_serves(unit_file: Path) -> None:
    """One of two is new: the other must not go out before the new one serves."""
    site = site_without(unit_file, "web1")
    site.world.hold_floor("api", 1)
    assert run_virtual(site.deploy("v2", batch=2)).exit_code == 0
    site.world.check()


def test_a_unit_that_will_not_go_away_is_told(unit_file: Path) -> None:
    site = site_without(unit_file, *HOSTS)
    site.unit("web1").behaviours["v1"] = NEVER_READY
    site.world.faults.add(Fault(What.EXIT, host="web1", verb="act", about="systemctl stop"))
    ending = run_virtual(site.deploy("v1"))
    assert ending.exit_code == 5
    failed = [event for event in site.events if event.type == "rollback.failed"]
    assert "is still running" in failed[0].data["what"]
    assert "sudo systemctl disable --now api.service" in failed[0].data["manual"]


def test_a_unit_file_that_is_there_already_is_nothing_to_do(unit_file: Path) -> None:
    """What a deploy installed is what the next plan finds."""

    async def story(site: SeedSite) -> None:
        assert (await site.deploy("v1")).exit_code == 0
        assert not (await site.make("v1")).services
        unit_file.write_text("[Service]\nExecStart=/srv/api/current/other\n")
        assert [s.name for s in (await site.make("v1")).services] == ["api"]

    run_virtual(story(site_without(unit_file, *HOSTS)))


@pytest.mark.parametrize("new", HOSTS)
def test_a_new_host_goes_first_wherever_it_stands(unit_file: Path, new: str) -> None:
    """One of two is new: the other may go out only when it serves."""
    site = site_without(unit_file, new)
    site.world.hold_floor("api", 1)
    ending = run_virtual(site.deploy("v2"))
    assert ending.exit_code == 0
    site.world.check()
    assert site.plan is not None
    (service,) = site.plan.services
    assert service.hosts[0] == new
    assert f"api: {new} first, so that more serve before others go out" in service.notes


@pytest.mark.parametrize("new", HOSTS)
def test_rollback_removes_a_new_host_last(unit_file: Path, new: str) -> None:
    """Its own removal lowers the floor, or the other one could not go back."""

    async def story(site: SeedSite) -> int:
        assert (await site.deploy("v2")).exit_code == 0
        return (await site.take_back("v2")).exit_code

    site = site_without(unit_file, new)
    (old,) = set(HOSTS) - {new}
    site.world.hold_floor("api", 1)
    assert run_virtual(story(site)) == 0
    assert state(site, new) == (False, False, False)
    assert state(site, old) == (True, True, True)
    assert site.versions()[HOSTS.index(old)] == "v1"


def test_a_failed_deploy_with_a_new_host_goes_all_the_way_back(
    unit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor was made with the new host in it: going back, it is lower by that one."""
    monkeypatch.setattr("tests.unit.docs.seed_site.HOSTS", (*HOSTS, "web3"))
    site = site_without(unit_file, "web1")
    site.world.hold_floor("api", 1)
    site.unit("web3").behaviours["v2"] = NEVER_READY
    ending = run_virtual(site.deploy("v2"))
    assert (ending.outcome, ending.exit_code) == ("restored", 4)
    assert state(site, "web1") == (False, False, False)
    assert [site.unit(host).version for host in ("web2", "web3")] == ["v1", "v1"]
    site.world.check()


def test_a_removal_that_cannot_be_written_down_is_told(unit_file: Path) -> None:
    async def story(site: SeedSite) -> int:
        assert (await site.deploy("v1")).exit_code == 0
        site.world.faults.add(
            Fault(What.HOST_FAULT, host="web1", verb="remember", times=9, text="the disk is full")
        )
        return (await site.take_back("v1")).exit_code

    site = site_without(unit_file, "web1")
    assert run_virtual(story(site)) == 0
    assert state(site, "web1") == (False, False, False)
    told = [event.data["why"] for event in site.events if event.type == "step.skipped"]
    assert told == ["not remembered as last good: the disk is full"]
