"""Examines each host before anything is at stake, and says how to mend what it finds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

from gapless.balancer_doctor import examine_balancers
from gapless.clock import Clock
from gapless.cluster_doctor import examine_clusters
from gapless.config.project import ProjectConfig
from gapless.drivers.checks import asking
from gapless.drivers.runtimes.base import NOT_FOUND
from gapless.drivers.runtimes.brought import brings
from gapless.drivers.runtimes.own_check import asked_of
from gapless.drivers.runtimes.paired import copy_of
from gapless.drivers.runtimes.with_release import makeable
from gapless.drivers.transports.base import HostFacts, Transport
from gapless.engine.asked_release import live_name
from gapless.engine.claims import one_machine
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.steps.preflight import INSTALLED, forced
from gapless.errors import GaplessError
from gapless.finding import ASKED_OF_THE_HOST, Finding, examined, unit_remedy
from gapless.inventory.inventory import Inventory
from gapless.model import Instance, InstanceState, Verdict, VerdictStatus
from gapless.places import claim_name, machine_of
from gapless.plans import Verb
from gapless.release_doctor import examine_fetch, examine_sources

MAX_SKEW = 5.0
"""Seconds a host's clock may differ: more makes logs and certificates lie."""

LEAST_FREE = 200 * 1024 * 1024
"""Bytes that should be free where releases and snapshots go."""


async def examine_hosts(
    assembly: ProjectAssembly, inventory: Inventory, hosts: Sequence[str], clock: Clock
) -> list[Finding]:
    """Findings in the order of the hosts: ssh, sudo, clock, disk, then each of its services; then
    of the balancers of these services, and of the clusters that they are."""
    gate = asyncio.Semaphore(assembly.config.defaults.connections)

    places: dict[str, str] = {}

    async def ask(host: str) -> list[Finding]:
        async with gate:
            return await _host(assembly, inventory, host, places)

    found = [finding for some in await asyncio.gather(*map(ask, hosts)) for finding in some]
    found += _doubles(assembly.config, inventory, hosts, places)
    found += await examine_balancers(assembly, inventory, hosts)
    found += await examine_clusters(assembly, inventory, hosts, clock)
    return [*found, *await examine_sources(assembly, inventory, hosts)]


def _doubles(
    config: ProjectConfig, inventory: Inventory, hosts: Sequence[str], places: Mapping[str, str]
) -> list[Finding]:
    """Hosts that are one machine with one state folder, where a service is to run on both."""
    found = []
    for service in config.services:
        names: dict[str, list[str]] = {}
        for host in dict.fromkeys(map(machine_of, inventory.hosts_of(service))):
            if host in hosts and places.get(host):
                names.setdefault(places[host], []).append(host)
        for shared in names.values():
            if len(shared) > 1:
                error = one_machine(service, shared)
                found.append(_bad(shared[1], "state", f"state folder of {service}", error))
    return found


async def _host(
    assembly: ProjectAssembly, inventory: Inventory, host: str, places: dict[str, str]
) -> list[Finding]:
    transport = assembly.transport(host)
    paths = _paths(assembly.config, inventory, host)
    try:
        await transport.connect()
        before = time.time()
        facts = await transport.facts(paths)
        after = time.time()
    except GaplessError as error:
        return [_bad(host, "ssh", f"connect to {host}", error)]
    places[host] = facts.place
    sudo = assembly.config.hosts[host].sudo
    findings = [
        _good(host, "ssh", f"connect to {host}", f"as {facts.user}"),
        _privilege(host, facts, wanted=sudo),
        *(_problems(host, facts) if facts.privileged or not sudo else ()),
        _clock(host, facts, before, after),
        *(_disk(host, path, free) for path, free in facts.disk_free.items()),
    ]
    services = _services(inventory, assembly.config, host)
    if not facts.systemd and any(assembly.service(name).systemd for name in services):
        findings.append(_no_systemd(host))
        services = [name for name in services if assembly.service(name).systemd is None]
    if not facts.place:  # what it should remember of its services cannot be asked then
        return findings
    for service in services:
        for place in inventory.hosts_of(service):
            if machine_of(place) == host:
                findings += await _service(assembly, service, place)
    return findings


def _problems(host: str, facts: HostFacts) -> Iterator[Finding]:
    remedy = f"make it a folder that {facts.user} may write, or choose another: state_dir of {host}"
    for problem in facts.problems:
        state = not facts.place and " state" in problem
        check, mend = ("state", f"{remedy} in gapless.yaml") if state else ("host", "mend it there")
        verdict = Verdict(VerdictStatus.FAIL, check, f"state of {host}", problem)
        yield Finding(host, check, verdict, mend)


def _no_systemd(host: str) -> Finding:
    verdict = Verdict(VerdictStatus.FAIL, "systemd", "systemd", "this machine does not run it")
    remedy = "give its services command: (start, stop, status) in place of systemd:"
    return Finding(host, "systemd", verdict, remedy)


def _services(inventory: Inventory, config: ProjectConfig, host: str) -> list[str]:
    return [name for name in config.services if host in map(machine_of, inventory.hosts_of(name))]


def _paths(config: ProjectConfig, inventory: Inventory, host: str) -> list[str]:
    releases = [config.services[name].release for name in _services(inventory, config, host)]
    return ["/var/lib", *(release.to for release in releases if release)]


def _privilege(host: str, facts: HostFacts, *, wanted: bool) -> Finding:
    if not wanted:
        return _good(host, "sudo", "sudo", f"not used: everything runs as {facts.user}")
    if facts.privileged:
        return _good(host, "sudo", "sudo -n true", "allowed")
    verdict = Verdict(VerdictStatus.FAIL, "sudo", "sudo -n true", "not allowed", "root or sudo")
    line = f"{facts.user} ALL=(root) NOPASSWD: /usr/bin/python3, /usr/bin/rsync, /bin/sh"
    return Finding(host, "sudo", verdict, f"in /etc/sudoers.d/gapless of {host}: {line}")


def _clock(host: str, facts: HostFacts, before: float, after: float) -> Finding:
    """The answer was given between two readings of our own clock."""
    skew = max(before - facts.clock, facts.clock - after, 0.0)
    answer = f"{skew:.1f} s apart"
    if skew <= MAX_SKEW:
        return _good(host, "clock", "clock skew", answer)
    verdict = Verdict(
        VerdictStatus.FAIL, "clock", "clock skew", answer, f"at most {MAX_SKEW:g} s"
    )  # fmt: skip
    return Finding(host, "clock", verdict, "timedatectl set-ntp true (on that host, or this one)")


def _disk(host: str, path: str, free: int) -> Finding:
    answer = f"{free / 2**20:.0f} MiB free"
    if free >= LEAST_FREE:
        return _good(host, "disk", f"space at {path}", answer)
    wanted = f"at least {LEAST_FREE / 2**20:.0f} MiB"
    verdict = Verdict(VerdictStatus.FAIL, "disk", f"space at {path}", answer, wanted)
    return Finding(host, "disk", verdict, f"free space at {path} (df -h {path})")


async def _service(assembly: ProjectAssembly, service: str, host: str) -> list[Finding]:
    transport, runtime = assembly.transport(host), assembly.runtime(service, host)
    try:
        runtime, instance = await copy_of(runtime, transport, Instance(service, host))
        verdicts = [*await runtime.preflight(transport), *await makeable(runtime, transport)]
        if await _to_be_installed(assembly, Instance(service, host), verdicts):
            return [_not_yet(host, service), *await _fetched(assembly, service, transport)]
        health = assembly.health(instance, await live_name(assembly, instance))
        probes = await asked_of(runtime, transport, health)
        verdicts += await asking.once(transport, lambda: assembly.transport(""), probes)
        known = await transport.recall(claim_name(assembly.project, service, host))
        fetched = await _fetched(assembly, service, transport)
    except GaplessError as error:
        return [_bad(host, service, f"examine {service}", error)]
    unit = await unit_remedy(transport, runtime.unit, verdicts)
    told = (v for v in verdicts if v.check not in ASKED_OF_THE_HOST)
    verb = Verb.DEPLOY if assembly.service(service).release else Verb.RESTART
    findings = [
        examined(host, service, runtime.unit, v, unit, forced(verb, [service], [host]))
        for v in told
    ]
    return [*findings, *fetched, _way_back(host, service, bool(known.get("last_good")))]


async def _to_be_installed(
    assembly: ProjectAssembly, instance: Instance, verdicts: Sequence[Verdict]
) -> bool:
    """Whether it is not there because no deploy brought it yet, and nothing else is wrong."""
    wrong = [v for v in verdicts if not v.passed and v.check not in ASKED_OF_THE_HOST]
    if not wrong or not brings(assembly.service(instance.service)):
        return False
    transport = assembly.transport(instance.host)
    now = await assembly.runtime(instance.service, instance.host).observe(transport)
    missing = now.state is InstanceState.MISSING and now.detail.get("LoadState") == NOT_FOUND
    return missing and all(v.check in INSTALLED for v in wrong)


def _not_yet(host: str, service: str) -> Finding:
    answer = f"not there yet: gapless deploy {service} --hosts {host} installs it"
    return _good(host, service, f"unit of {service}", answer)


async def _fetched(assembly: ProjectAssembly, service: str, transport: Transport) -> list[Finding]:
    return await examine_fetch(transport, service, assembly.service(service).release)


def _way_back(host: str, service: str, known: bool) -> Finding:
    """Not having one is no fault before the first rollout; it is said all the same."""
    answer = "recorded" if known else "none yet: the first verified rollout records one"
    return _good(host, service, f"last good of {service}", answer)


def _good(host: str, check: str, asked: str, answer: str) -> Finding:
    return Finding(host, check, Verdict(VerdictStatus.PASS, check, asked, answer))


def _bad(host: str, check: str, asked: str, error: GaplessError) -> Finding:
    said = not error.evidence or error.evidence == error.what
    answer = error.what if said else f"{error.what}: {error.evidence}"
    remedy = error.next or f"gapless explain {error.code}"
    return Finding(host, check, Verdict(VerdictStatus.FAIL, check, asked, answer), remedy)
