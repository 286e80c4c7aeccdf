"""Twenty hosts in three groups behind a balancer, and everything that can fail on one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import OK, Answer, failed
from gapless.testing.fake_unit import HEALTHY, NEVER_READY, NEVER_STARTS, Behaviour
from gapless.testing.faults import Fault, What
from tests.simulation.faults.shop import CONFIG, Shop

TWENTY = tuple(f"web{number:02}" for number in range(1, 21))
ONE = "web07"
"""The host on which something fails: of the second group, after five that are done."""
TOUCHED, REST = TWENTY[:10], TWENTY[10:]
"""The batches up to its own, and those behind."""
ROLLOUT = """\
rollout:
      canary: 1
      max_unavailable: 25%
      groups:
        - {group: "web[01:02]", batch: 1}
        - {group: "web[03:10]", batch: 50%}
        - {group: "web[11:20]", batch: 5}
"""
CHECKS = """\
    verify: {command: look}
    warm: {command: heat, required: true}
    balancer: edge
"""


def make_fleet(
    folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], keys: str = ""
) -> Shop:
    """Twenty instances of release "1", a warm-up that has to succeed and a check of ``verify``.
    ``keys``: more of the rollout, a line each."""
    text = CONFIG.replace("{web1: {}, web2: {}, web3: {}}", '{"web[01:20]": {}}')
    text = text.replace("on: [web1, web2, web3]", 'on: ["web[01:20]"]')
    text = text.replace(
        "rollout: {canary: 1, batch: 1}\n", ROLLOUT + (f"      {keys}\n" if keys else "")
    )
    text = text.replace("verify: {http: http://localhost:8000/health}\n    ", "")
    shop = Shop(folder, patch, capture, on=TWENTY, floor=15, text=text)
    shop.edit("    balancer: edge\n", CHECKS)
    for host in TWENTY:
        shop.host(host).programs |= {"heat": _fine, "look": _fine}
    return shop


def versions(shop: Shop) -> dict[str, str]:
    """What each host really runs, where it is in traffic and answers well."""
    return {host: shop.unit(host).version for host in shop.serving()}


def touched(shop: Shop) -> set[str]:
    """Hosts whose unit gapless did anything to."""
    return {line.split()[0] for line in shop.changed()}


def failures(shop: Shop) -> list[tuple[str, str]]:
    """Host and step of everything that failed in the newest deploy, its way back left out."""
    deploy = next(r.id for r in shop.journal().rollouts() if r.verb == "deploy" and not r.parent)
    events = shop.journal().events(deploy)
    return [(e.host, e.step) for e in events if e.type == "step.failed" and e.rollout == deploy]


def fail_at(shop: Shop, step: str, new: str) -> None:
    """The one host fails once at this step, with the new release only."""
    _FAILURES[step](shop, new)


def _misbehave(behaviour: Behaviour, shop: Shop, new: str) -> None:
    shop.unit(ONE).behaviours[new] = behaviour


def _refuse(what: What, verb: str, shop: Shop, new: str) -> None:
    shop.world.faults.add(Fault(what, verb=verb, host="balancer:edge", about=ONE, text="no"))


def _fill_disk(shop: Shop, new: str) -> None:
    def fill() -> None:
        shop.host(ONE).files.full = True

    shop.at(f"{ONE}/api/stage", fill)


def _not_warm(shop: Shop, new: str) -> None:
    async def called(host: FakeHost, command: Command) -> Answer:
        return failed("no such table") if host.units["api.service"].version == new else OK

    shop.host(ONE).programs["heat"] = called


def _not_verified(shop: Shop, new: str) -> None:
    """What is asked when it is ready and all through its soak says so only behind it."""
    now = {new: OK}

    async def called(host: FakeHost, command: Command) -> Answer:
        return now.get(host.units["api.service"].version, OK)

    shop.host(ONE).programs["look"] = called
    shop.at(f"{ONE}/api/verify", lambda: now.update({new: failed("no such table")}))


_FAILURES: dict[str, Callable[[Shop, str], None]] = {
    "stage": _fill_disk,
    "drain": partial(_refuse, What.REFUSE, "drain"),
    "switch": partial(_misbehave, NEVER_STARTS),
    "ready": partial(_misbehave, NEVER_READY),
    "warm": _not_warm,
    "admit": partial(_refuse, What.LIE, "admit"),
    "soak": partial(_misbehave, replace(HEALTHY, crash_after=10.0)),
    "verify": _not_verified,
}
STEPS = tuple(_FAILURES)


async def _fine(host: FakeHost, command: Command) -> Answer:
    return OK
