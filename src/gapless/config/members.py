"""Instances that would be one and the same member of a balancer.

Whoever drains one of them drains the other, and is told that it has no traffic any more while it
serves on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gapless.config.balancers import BalancerConfig
from gapless.config.filling import fill
from gapless.config.hosts import HostConfig
from gapless.config.references import Finding
from gapless.config.services import ServiceConfig
from gapless.model import Instance
from gapless.places import machine_of


def check_members(
    balancers: Mapping[str, BalancerConfig],
    services: Mapping[str, ServiceConfig],
    places: Mapping[str, tuple[str, ...]],
    hosts: Mapping[str, HostConfig],
) -> Iterator[Finding]:
    """One finding for each balancer that cannot tell two instances apart; ``places`` by service.
    What two services of one host share is their own affair: it is one machine."""

    def address(host: str) -> str:
        return (hosts[host].address if host in hosts else None) or host

    for name, balancer in balancers.items():
        first: dict[str, Instance] = {}
        alike: Finding | None = None
        for instance in _instances(name, services, places):
            template = balancer.driver.member(machine_of(instance.host))
            member = fill(template, instance, address)
            other = first.setdefault(member, instance) if member else instance
            if _apart(other, instance):
                yield _shared(name, balancer, member, (other, instance))
                break
            if member and _one_for_both(services[instance.service], template):
                alike = alike or _one(name, balancer, member, instance)
        else:
            if alike is not None:
                yield alike


def _instances(
    balancer: str, services: Mapping[str, ServiceConfig], places: Mapping[str, tuple[str, ...]]
) -> Iterator[Instance]:
    for name, service in services.items():
        if balancer in service.balancer:
            own = service.compose is not None and service.compose.reach == "container"
            several = own and service.replicas > 1  # each is reached at an address of its own
            for place in places[name]:
                yield Instance(name, place, address=place if several else "")


def _one_for_both(service: ServiceConfig, template: str) -> bool:
    """Whether the two copies of an instance, which are there for a moment, would be one member: who
    takes the old one out takes out the new one."""
    if not service.paired or service.in_place or "{slot" in template:
        return False
    container = service.compose or service.docker
    own = container is not None and container.reach == "container"
    return not (own and "{address}" in template)


def _one(name: str, balancer: BalancerConfig, member: str, instance: Instance) -> Finding:
    key = balancer.driver.member_key
    text = f"{key}: both copies of {instance} would be '{member}' of {name}"
    hint = f'fill in which of the two it is, too: {{slot}}, as in {key}: "{{name}}-{{slot}}"'
    return Finding(("balancers", name, balancer.kind, key), text, hint)


def _apart(one: Instance, other: Instance) -> bool:
    if one.service == other.service:
        return one.host != other.host
    return machine_of(one.host) != machine_of(other.host)


def _shared(
    name: str, balancer: BalancerConfig, member: str, both: tuple[Instance, Instance]
) -> Finding:
    key = balancer.driver.member_key
    text = f"{key}: {both[0]} and {both[1]} would both be '{member}' of {name}"
    first, second = (machine_of(one.host) for one in both)
    hint = _NUMBERED if first == second else _hint(key, balancer.driver.member(second))
    return Finding(("balancers", name, balancer.kind, key), text, hint)


_NUMBERED = "fill in which of several on a host it is, too: {number}"


def _hint(key: str, template: str) -> str:
    if "{name}" in template:
        whole = template.replace("{name}", "{host}")
        return f'{{name}} ends at the first dot; write {key}: "{whole}"'
    if "{address}" in template:
        return "give each host an address of its own, or each service a port"
    return "fill in what tells them apart: {host}, {name} or {address}"
