"""Examines each balancer from where it is steered, before anything is at stake."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from gapless.drivers.balancers.base import Balancer
from gapless.drivers.runtimes.paired import copies_of
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError
from gapless.finding import Finding
from gapless.inventory.inventory import Inventory
from gapless.model import Instance, Verdict, VerdictStatus
from gapless.places import machine_of


async def examine_balancers(
    assembly: ProjectAssembly, inventory: Inventory, hosts: Sequence[str]
) -> list[Finding]:
    """Findings of the balancers that send traffic to services on these hosts."""
    balancers: dict[str, Balancer] = {}
    behind: dict[str, list[Instance]] = {}
    for service in assembly.config.services:
        instances = [i for i in inventory.instances(service) if machine_of(i.host) in hosts]
        for balancer in assembly.balancers(service) if instances else ():
            balancers[balancer.name] = balancer
            behind.setdefault(balancer.name, []).extend(
                copy for one in instances for copy in copies_of(assembly.runtime(service), one)
            )
    found: list[Finding] = []
    for name, balancer in balancers.items():
        found += await _balancer(assembly, balancer, behind[name])
    return found


async def _balancer(
    assembly: ProjectAssembly, balancer: Balancer, instances: Collection[Instance]
) -> list[Finding]:
    for node in balancer.hosts:
        try:
            await assembly.transport(node).connect()
        except GaplessError as error:
            return [_silent(node, balancer.name, error)]
    return [
        Finding(node, balancer.name, replace(verdict, wanted=""), verdict.wanted)
        for node, verdicts in (await balancer.examine(instances)).items()
        for verdict in verdicts
    ]


def _silent(node: str, name: str, error: GaplessError) -> Finding:
    answer = "\n".join(filter(None, (error.what, error.evidence)))
    asked = f"connect to {node or 'this machine'}"
    return Finding(node, name, Verdict(VerdictStatus.FAIL, name, asked, answer), error.next)
