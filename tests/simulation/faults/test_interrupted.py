"""Connection, host or controller go away in the middle: what is done is done once."""

from __future__ import annotations

import pytest

from gapless.plans import StepKind
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.faults import Fault, What, When
from tests.simulation.faults.shop import HOSTS, Shop

STEPS = [
    kind.value
    for kind in (
        StepKind.PREFLIGHT, StepKind.SNAPSHOT, StepKind.STAGE, StepKind.DRAIN, StepKind.SWITCH,
        StepKind.READY, StepKind.ADMIT, StepKind.SOAK, StepKind.VERIFY, StepKind.COMMIT,
    )
]  # fmt: skip


def mid_restart(what: What, seconds: float) -> Fault:
    """Strikes 0.1 s into ``systemctl restart`` on web2, which takes 0.4 s."""
    return Fault(
        what, When.DURING, verb="act", host="web2", about="systemctl restart", seconds=seconds,
        delay=0.1,
    )  # fmt: skip


def test_ssh_cut_mid_restart(shop: Shop) -> None:
    new = shop.release("2")
    shop.world.faults.add(mid_restart(What.UNREACHABLE, seconds=15.0))
    ended = shop.gapless("deploy", "--yes", code=0)
    assert shop.world.faults.struck, "nothing was cut"
    assert shop.last().outcome == "done"
    assert "Deployed api: 3 instances" in ended.text
    observed = [(e.host, e.step) for e in shop.events("step.observed")]
    assert observed == [("web2", "switch")], "the host was asked what became of it"
    shop.rest()
    assert shop.changed() == [f"{host} restart" for host in HOSTS], "nothing twice"
    shop.all_serve(new)
    shop.world.check()


def test_host_rebooted_mid_restart(shop: Shop) -> None:
    new = shop.release("2")
    shop.world.faults.add(mid_restart(What.REBOOT, seconds=20.0))
    ended = shop.gapless("deploy", "--yes", code=0)
    assert shop.world.deeds("power off", host="web2"), "it never rebooted"
    assert shop.last().outcome == "done"
    assert "Deployed api: 3 instances" in ended.text
    observed = [(e.host, e.step) for e in shop.events("step.observed")]
    assert observed == [("web2", "switch")]
    shop.rest()
    assert shop.changed() == [f"{host} restart" for host in HOSTS], "the boot started it"
    shop.all_serve(new)
    shop.world.check()


@pytest.mark.parametrize("step", [*STEPS, "migrate"])
def test_controller_killed_at_each_step(shop: Shop, step: str) -> None:
    """Right after the intent of the step was committed; somebody else goes on."""
    ran: list[str] = []

    async def migrate(host: FakeHost) -> Answer:
        ran.append(host.name)
        return 0, "", ""

    shop.migration(migrate)
    new = shop.release("2")
    shop.kill_at(step)
    shop.killed("deploy", "--yes")
    shop.rest()
    assert len(shop.serving()) >= len(HOSTS) - 1
    ended = shop.gapless("resume", code=0)
    assert shop.last().outcome == "done"
    assert "Deployed api: 3 instances" in ended.text
    assert shop.events("rollout.resumed")
    assert ran == ["web1"], "the migration runs once"
    shop.rest()
    assert shop.changed() == [f"{host} restart" for host in HOSTS], "nothing twice"
    shop.all_serve(new)
    shop.world.check()


@pytest.mark.parametrize("step", STEPS)
def test_controller_killed_at_each_step_and_aborted(shop: Shop, step: str) -> None:
    (old, *_) = shop.live()
    shop.release("2")
    shop.kill_at(step)
    shop.killed("deploy", "--yes")
    shop.rest()
    ended = shop.gapless("abort", code=4)
    assert shop.last().outcome == "restored"
    assert "next" in ended.text
    shop.rest()
    shop.all_serve(old)
    shop.world.check()
