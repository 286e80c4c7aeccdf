"""What doctor asks a service, and from where."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gapless.config.project import ProjectConfig
from gapless.doctor import _no_systemd, _privilege, _service
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.transports.base import Probe, Transport
from gapless.engine.project_assembly import ProjectAssembly
from gapless.finding import Finding, examined, unit_remedy
from gapless.model import Command, Completed, Instance, Verdict, VerdictStatus
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World
from tests.simulation.assembly import SimAssembly

CONFIG = ProjectConfig.model_validate(
    {
        "project": "shop",
        "hosts": {"web1": {}},
        "services": {
            "api": {
                "on": ["web1"],
                "systemd": "api",
                "health": {"http": "http://localhost:8000/", "from": "controller"},
            }
        },
    }
)


class Site(SimAssembly):
    """``here`` is the machine gapless runs on."""

    def health(self, instance: Instance, release: str) -> Sequence[Probe]:
        return build_probes(CONFIG.services["api"].health, instance, address=instance.host)


def test_a_check_from_the_controller_is_asked_there() -> None:
    world = World()
    world.host("web1").add_unit("api.service", port=8000).run_already()
    world.host("")  # nothing answers here
    site = Site(world, CONFIG, "")

    async def story() -> list[str]:
        await site.transport("web1").connect()
        findings = await _service(cast(ProjectAssembly, site), "api", "web1")
        return [f.check for f in findings if f.verdict.check == "http" and not f.verdict.passed]

    assert run_virtual(story()) == ["api"]
    assert [host for _, host, verb, _ in world.calls if verb == "ask"] == [""]


@pytest.mark.parametrize(
    ("memory", "told"),
    [({}, "none yet"), ({"last_good": None}, "none yet"), ({"last_good": {"at": 1}}, "recorded")],
)
def test_whether_there_is_a_last_good_release(memory: dict[str, Any], told: str) -> None:
    world = World()
    world.host("web1").add_unit("api.service", port=8000).run_already()
    world.host("web1").memory["shop.api"] = memory
    world.host("")
    site = Site(world, CONFIG, "")

    async def story() -> list[str]:
        await site.transport("web1").connect()
        findings = await _service(cast(ProjectAssembly, site), "api", "web1")
        return [f.verdict.answer for f in findings if f.verdict.asked == "last good of api"]

    (answer,) = run_virtual(story())
    assert answer.startswith(told)


def test_a_mistyped_unit_is_told_with_the_one_that_was_meant() -> None:
    answer = Verdict(VerdictStatus.FAIL, "unit", "systemctl show a", "there is no such unit", "w")

    class Host:
        async def run(self, command: Command) -> Completed:
            return Completed(command.argv, 0, "shop-api.service enabled\n", "", 0.1)

    transport = cast(Transport, Host())
    remedy = asyncio.run(unit_remedy(transport, "shop-apo.service", [answer]))
    assert remedy.startswith("did you mean 'shop-api.service'?")
    finding = examined("web1", "api", "shop-apo.service", answer, remedy)
    assert (finding.verdict.wanted, finding.remedy) == ("", remedy)


def test_what_a_check_wants_is_no_remedy() -> None:
    answer = Verdict(VerdictStatus.FAIL, "http", "GET /", "500", "status 200-299")
    finding = examined("web1", "api", "api.service", answer, "")
    assert "journalctl -u api.service" in finding.remedy
    assert "200-299" not in finding.remedy
    assert finding.verdict.wanted == "status 200-299"


def test_where_nobody_can_tell_the_remedy_it_is_said_where_to_look() -> None:
    answer = Verdict(
        VerdictStatus.FAIL, "active", "systemctl is-active a", "in a crash loop", "active",
        look="journalctl -u a -n 50",
    )  # fmt: skip
    finding = examined("web1", "api", "a", answer, "", "gapless restart api --force")
    assert finding.remedy == "journalctl -u a -n 50 on web1; or: gapless restart api --force"
    assert finding.verdict.wanted == "active"
    assert finding.to_json()["verdict"]["look"] == "journalctl -u a -n 50"


def test_sudo_is_told_once_and_without_the_documentation() -> None:
    world = World()
    world.host("web1").add_unit("api.service", port=8000).run_already()
    world.host("web1").privileged = False
    site = Site(world, CONFIG, "")

    async def story() -> list[Finding]:
        transport = site.transport("web1")
        await transport.connect()
        facts = _privilege("web1", await transport.facts(), wanted=True)
        return [facts, *await _service(cast(ProjectAssembly, site), "api", "web1")]

    told = [f for f in run_virtual(story()) if "sudo" in f.verdict.asked]
    assert [f.check for f in told] == ["sudo"]
    assert "docs/" not in told[0].remedy
    assert "NOPASSWD" in told[0].remedy


def test_a_machine_without_systemd_is_told_once_with_what_to_do() -> None:
    finding = _no_systemd("web1")
    assert finding.verdict.answer == "this machine does not run it"
    assert "command:" in finding.remedy


def test_a_service_that_is_down_is_told_with_the_command_that_starts_it() -> None:
    world = World()
    world.host("web1").add_unit("api.service", port=8000)
    world.host("")
    site = Site(world, CONFIG, "")

    async def story() -> list[str]:
        await site.transport("web1").connect()
        findings = await _service(cast(ProjectAssembly, site), "api", "web1")
        return [f.remedy for f in findings if f.verdict.check == "active"]

    (remedy,) = run_virtual(story())
    forced = 'gapless restart api --hosts web1 --force --reason "..."'
    assert remedy == f"active; systemctl start api.service; or: {forced}"


def test_a_unit_that_a_deploy_brings_is_no_problem_before_the_first() -> None:
    services = {"api": {**CONFIG.services["api"].model_dump(by_alias=True, exclude_unset=True)}}
    services["api"]["systemd"] = {"unit": "api.service", "file": "api.service"}
    config = ProjectConfig.model_validate(
        {"project": "shop", "hosts": {"web1": {}}, "services": services}
    )
    world = World()
    world.host("web1")
    world.host("")

    site = Site(world, config, "")

    async def story() -> list[Finding]:
        await site.transport("web1").connect()
        return await _service(cast(ProjectAssembly, site), "api", "web1")

    (finding,) = run_virtual(story())
    assert finding.verdict.passed
    assert "gapless deploy api --hosts web1 installs it" in finding.verdict.answer
