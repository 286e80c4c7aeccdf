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


def check_members(
    balancers: Mapping[str, BalancerConfig],
    services: Mapping[str, ServiceConfig],
    places: Mapping[str, tuple[str, ...]],
    hosts: Mapping[str, HostConfig],
) -> Iterator[Finding]:
    """One finding for each balancer that cannot tell two hosts apart; ``places``: hosts by service.
    What two services of one host share is their own affair: it is one machine."""

    def address(host: str) -> str:
        return (hosts[host].address if host in hosts else None) or host

    for name, balancer in balancers.items():
        first: dict[str, Instance] = {}
        for instance in _instances(name, services, places):
            member = fill(balancer.driver.member(instance.host), instance, address)
            other = first.setdefault(member, instance) if member else instance
            if other.host != instance.host:
                yield _shared(name, balancer, member, (other, instance))
                break


def _instances(
    balancer: str, services: Mapping[str, ServiceConfig], places: Mapping[str, tuple[str, ...]]
) -> Iterator[Instance]:
    for name, service in services.items():
        if balancer in service.balancer:
            yield from (Instance(name, host) for host in places[name])


def _shared(
    name: str, balancer: BalancerConfig, member: str, both: tuple[Instance, Instance]
) -> Finding:
    key = balancer.driver.member_key
    text = f"{key}: {both[0]} and {both[1]} would both be '{member}' of {name}"
    template = balancer.driver.member(both[1].host)
    return Finding(("balancers", name, balancer.kind, key), text, _hint(key, template))


def _hint(key: str, template: str) -> str:
    if "{name}" in template:
        whole = template.replace("{name}", "{host}")
        return f'{{name}} ends at the first dot; write {key}: "{whole}"'
    if "{address}" in template:
        return "give each host an address of its own, or each service a port"
    return "fill in what tells them apart: {host}, {name} or {address}"
