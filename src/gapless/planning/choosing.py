"""Which instances a plan touches, and why it leaves the others alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gapless.config.project import ProjectConfig
from gapless.config.services import ServiceConfig
from gapless.drivers.runtimes.base import NOT_FOUND
from gapless.drivers.runtimes.brought import brings
from gapless.drivers.runtimes.unit_file import digest_in
from gapless.inventory import Inventory
from gapless.model import InstanceState
from gapless.places import number_of
from gapless.planning.options import Target
from gapless.planning.survey import Seen, Survey
from gapless.planning.unserved import unserved
from gapless.plans import NOT_ASKED_FOR, Untouched, Verb
from gapless.strategies.lifecycle import has_something_new

NO_RELEASE = "has no release to deploy"


@dataclass(frozen=True, slots=True)
class Choice:
    """Hosts of a service that will be touched, and what will not be. ``absent`` were asked for and
    cannot be, and why."""

    hosts: tuple[str, ...]
    untouched: tuple[Untouched, ...]
    absent: Mapping[str, str] = field(default_factory=dict)


def choose(
    name: str,
    service: ServiceConfig,
    *,
    verb: Verb,
    hosts: Sequence[str],
    wanted: Collection[str] | None,
    target: Target,
    survey: Survey | None,
) -> Choice:
    """Sort the hosts of one service: not asked for, nothing to do, to be touched."""
    if verb is Verb.DEPLOY and not has_something_new(service):
        return Choice((), (Untouched(name, tuple(hosts), NO_RELEASE),))
    asked = tuple(hosts) if wanted is None else tuple(h for h in hosts if h in wanted)
    current = frozenset(
        host
        for host in asked
        if survey and is_current(service, verb, target, host, survey.of(name, host))
    )
    version = target.release.name if target.release else "this version"
    absent = absent_now(name, service, verb, asked, survey)
    left = tuple(h for h in hosts if wanted is not None and h not in wanted)
    apart = (
        *((Untouched(name, left, NOT_ASKED_FOR),) if left else ()),
        *_current(name, service, version, [h for h in asked if h in current], survey),
        *_absent(name, absent, survey),
    )
    chosen = tuple(host for host in asked if host not in current and host not in absent)
    return Choice(chosen, apart, absent)


def _current(
    name: str, service: ServiceConfig, version: str, hosts: Sequence[str], survey: Survey | None
) -> Iterator[Untouched]:
    """Those that get traffic, and those that do not by why."""
    images = images_now(service, name, hosts, survey)
    found = {
        host: (images[host][0] if host in images else version, unserved(name, host, survey))
        for host in hosts
    }
    for told in dict.fromkeys(found.values()):
        where = tuple(host for host in hosts if found[host] == told)
        runs, trouble = told
        but = f", but {trouble.why}" if trouble.why else ""
        yield Untouched(name, where, f"already on {runs}{but}", trouble.ends(name, where))


def _absent(name: str, absent: Mapping[str, str], survey: Survey | None) -> Iterator[Untouched]:
    for why in dict.fromkeys(absent.values()):
        where = tuple(host for host in absent if absent[host] == why)
        seen = survey.of(name, where[0]) if survey else None
        yield Untouched(name, where, why, seen.next if seen else "")


def absent_now(
    name: str, service: ServiceConfig, verb: Verb, hosts: Iterable[str], survey: Survey | None
) -> Mapping[str, str]:
    """Hosts that did not answer, or have no such unit and get none, and why."""
    if survey is None:
        return {}
    installs = installs_now(name, service, verb, hosts, survey)
    told = ((host, _absence(name, service, host, survey.of(name, host))) for host in hosts)
    return {host: why for host, why in told if why and host not in installs}


def _absence(name: str, service: ServiceConfig, host: str, seen: Seen | None) -> str:
    if seen is None:
        return ""
    if seen.error:
        return seen.reason or f"unreachable: {seen.error}"
    now = seen.observation
    if now is None or now.state is not InstanceState.MISSING:
        return ""
    unit = f"unit {service.systemd.at(number_of(host)).unit}" if service.systemd else "instance"
    if service.process:
        unit = f"process; gapless deploy {name} brings it"
    if service.containers:
        unit = f"container; gapless deploy {name} makes it"
    return f"missing: there is no such {unit}"


def is_current(
    service: ServiceConfig, verb: Verb, target: Target, host: str, seen: Seen | None
) -> bool:
    """Whether a deploy would change nothing: it runs, with this release, these configuration files
    and this unit or run file."""
    if verb is not Verb.DEPLOY or seen is None or not seen.running:
        return False
    if service.release and (target.release is None or not _same_release(target, seen)):
        return False
    if service.config and not _same_config(target, host, seen):
        return False
    if brings(service):
        return _same_file(target, seen)
    if service.containers and seen.observation:
        return seen.observation.detail.get("changed") == "no"
    return True


def _same_config(target: Target, host: str, seen: Seen) -> bool:
    wanted = target.config.get(host)
    return wanted is not None and seen.config is not None and wanted.mark == seen.config.live.mark


def _same_file(target: Target, seen: Seen) -> bool:
    """Drop-ins are the host's own, but what systemd has not read yet is still to be taken in."""
    now = seen.observation
    read = now is not None and now.detail.get("NeedDaemonReload") != "yes"
    return read and bool(target.unit_file) and target.unit_file == digest_in(seen.fingerprint)


def _same_release(target: Target, seen: Seen) -> bool:
    wanted, live = target.release, seen.release
    if wanted is None or live is None or wanted.name != live.name:
        return False
    return not (wanted.digest and live.digest) or wanted.digest == live.digest


def bystanders(
    chosen: Iterable[str], project: ProjectConfig, inventory: Inventory
) -> tuple[Untouched, ...]:
    """Services that chosen ones depend on, directly or not, and that nobody asked for."""
    names = frozenset(chosen)
    reached: set[str] = set()
    open_ = list(names)
    while open_:
        before = project.services[open_.pop()].after
        fresh = [name for name in before if name not in reached and name in project.services]
        reached.update(fresh)
        open_ += fresh
    return tuple(
        Untouched(name, inventory.hosts_of(name), NOT_ASKED_FOR)
        for name in project.services
        if name in reached and name not in names
    )


def releases_now(name: str, hosts: Iterable[str], survey: Survey | None) -> Mapping[str, str]:
    """Release each host has live, where it was seen."""
    if survey is None:
        return {}
    seen = ((host, survey.of(name, host)) for host in hosts)
    return {host: s.release.name for host, s in seen if s and s.release}


def installs_now(
    name: str, service: ServiceConfig, verb: Verb, hosts: Iterable[str], survey: Survey | None
) -> tuple[str, ...]:
    """Hosts that were seen without the unit, or the process, whose file the deploy brings."""
    if survey is None or verb is not Verb.DEPLOY or not _makes(service):
        return ()
    seen = ((host, survey.of(name, host)) for host in hosts)
    return tuple(host for host, s in seen if s is not None and _has_no_unit(s))


def _makes(service: ServiceConfig) -> bool:
    return service.containers is not None or brings(service)


def _has_no_unit(seen: Seen) -> bool:
    now = seen.observation
    missing = now is not None and now.state is InstanceState.MISSING
    return missing and now is not None and now.detail.get("LoadState") == NOT_FOUND


def images_now(
    service: ServiceConfig, name: str, hosts: Iterable[str], survey: Survey | None
) -> Mapping[str, tuple[str, str]]:
    """Image of each host's container and of the next one, where no release tells the version."""
    if survey is None or service.containers is None or service.release is not None:
        return {}
    seen = ((host, survey.of(name, host)) for host in hosts)
    told = {host: one.observation.detail for host, one in seen if one and one.observation}
    return {
        host: (detail.get("image", ""), detail["next"])
        for host, detail in told.items()
        if detail.get("next")
    }


def down_now(
    name: str, hosts: Iterable[str], installs: Collection[str], survey: Survey | None
) -> Mapping[str, str]:
    """State of each instance that does not run, but for what is to come."""
    if survey is None:
        return {}
    seen = {host: survey.of(name, host) for host in hosts if host not in installs}
    states = {host: s.observation.state for host, s in seen.items() if s and s.observation}
    return {host: state.value for host, state in states.items() if state in _DOWN}


_DOWN = (InstanceState.STOPPED, InstanceState.FAILED, InstanceState.MISSING)


def fingerprints_now(name: str, hosts: Iterable[str], survey: Survey | None) -> Mapping[str, str]:
    """Fingerprint of each host, where it was seen."""
    if survey is None:
        return {}
    seen = ((host, survey.of(name, host)) for host in hosts)
    return {host: s.fingerprint for host, s in seen if s and s.fingerprint}
