"""What balancers say of the instances that a plan may touch; nothing is changed by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from gapless.drivers.balancers.base import Balancer
from gapless.engine import in_balancers
from gapless.engine.in_balancers import InBalancer
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError
from gapless.model import Instance

Answers = Mapping[Instance, tuple[InBalancer, ...]]
"""How each instance stands in its balancers."""


async def answers_of_nodes(
    assembly: ProjectAssembly, instances: Iterable[Instance]
) -> list[InBalancer]:
    """Of balancers with nodes of their own: they can be asked while the hosts are."""
    work = [one for one in _behind(assembly, instances) if one[0].hosts]
    found = await asyncio.gather(*(in_balancers.ask(*one) for one in work))
    return [one for answers in found for one in answers]


async def nodes_reached(assembly: ProjectAssembly, instances: Iterable[Instance]) -> None:
    """Connects to the nodes of balancers that are asked later; who does not answer is told then."""
    hosts = {host for balancer, _ in _behind(assembly, instances) for host in balancer.hosts}
    await asyncio.gather(*(_reached(assembly, host) for host in hosts))


async def _reached(assembly: ProjectAssembly, host: str) -> None:
    with suppress(GaplessError):
        await assembly.transport(host).connect()


async def answers_on_hosts(
    assembly: ProjectAssembly, instances: Iterable[Instance], *, at_once: int
) -> list[InBalancer]:
    """Of what is steered on each instance's own host: of ``instances`` that answered, so that a
    host which is gone is waited for once."""
    work = [one for one in _behind(assembly, instances) if not one[0].hosts]
    found = await asyncio.gather(*(in_balancers.ask(*one, at_once=at_once) for one in work))
    return [one for answers in found for one in answers]


def by_instance(found: Iterable[InBalancer]) -> Answers:
    """What was answered, of each instance together."""
    answers: dict[Instance, list[InBalancer]] = {}
    for one in found:
        answers.setdefault(one.instance, []).append(one)
    return {instance: tuple(several) for instance, several in answers.items()}


def _behind(
    assembly: ProjectAssembly, instances: Iterable[Instance]
) -> Sequence[tuple[Balancer, list[Instance]]]:
    """Each balancer once, with the instances of all services that it sends traffic to."""
    balancers: dict[str, Balancer] = {}
    behind: dict[str, list[Instance]] = {}
    for instance in instances:
        for balancer in assembly.balancers(instance.service):
            balancers[balancer.name] = balancer
            behind.setdefault(balancer.name, []).append(instance)
    return [(balancer, behind[name]) for name, balancer in balancers.items()]
