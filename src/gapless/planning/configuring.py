"""Configuration in a plan: rendered for the hosts that are asked for, and compared there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gapless.drivers.config_files.diff import FileChange, change
from gapless.drivers.config_files.seen import SeenConfig, see
from gapless.engine.assembly import Assembly
from gapless.inventory import Inventory
from gapless.model import Instance
from gapless.places import claim_name
from gapless.planning.options import Target
from gapless.planning.survey import Survey


async def with_config(
    assembly: Assembly, inventory: Inventory, targets: Mapping[str, Target], hosts: str | None
) -> dict[str, Target]:
    """The targets with the files of every host that is asked for. Raises UsageError or ConfigError,
    before any host is spoken to."""
    wanted = None if hosts is None else frozenset(inventory.select(hosts))
    found = dict(targets)
    for name, target in targets.items():
        files = assembly.config_files(name)
        if files is None:
            continue
        places = [h for h in inventory.hosts_of(name) if wanted is None or h in wanted]
        release = target.release.name if target.release else ""
        rendered = await files.render(places, release)
        found[name] = replace(target, config=rendered, marks=files.marks)
    return found


async def seen_config(
    assembly: Assembly, instance: Instance, targets: Mapping[str, Target]
) -> SeenConfig | None:
    """What is there now; None where a deploy brings no files."""
    files = assembly.config_files(instance.service)
    if files is None:
        return None
    target = targets.get(instance.service, Target())
    name = claim_name(assembly.project, instance.service, instance.host)
    wanted = target.config.get(instance.host)
    return await see(files, assembly.transport(instance.host), name, wanted)


def marks_wanted(target: Target, hosts: Iterable[str]) -> dict[str, str]:
    """Mark of the configuration each host is to have."""
    return {host: target.config[host].mark for host in hosts if host in target.config}


def marks_now(name: str, hosts: Iterable[str], survey: Survey | None) -> dict[str, str]:
    """Mark of what each host has, where it was seen."""
    return {host: seen.live.mark for host, seen in _seen(name, hosts, survey)}


def changes(
    name: str, target: Target, hosts: Iterable[str], survey: Survey | None
) -> tuple[Mapping[str, Any], ...]:
    """Files that change, equal changes of several hosts together; none where nobody was asked."""
    found: dict[FileChange, list[str]] = {}
    for host, seen in _seen(name, hosts, survey):
        for one in _of_host(target, host, seen):
            found.setdefault(one, []).append(host)
    return tuple(
        {"file": one.path, "hosts": where, "lines": list(one.lines), "notes": list(one.notes)}
        for one, where in found.items()
    )


def _seen(
    name: str, hosts: Iterable[str], survey: Survey | None
) -> Iterator[tuple[str, SeenConfig]]:
    for host in hosts if survey is not None else ():
        seen = survey.of(name, host) if survey else None
        if seen is not None and seen.config is not None:
            yield host, seen.config


def _of_host(target: Target, host: str, seen: SeenConfig) -> Iterator[FileChange]:
    rendered = target.config.get(host)
    if rendered is None or target.marks is None:
        return
    live = {file.path: file for file in seen.live.files}
    for new in rendered.files:
        old, known = seen.contents.get(new.path), seen.written.get(new.path)
        found = change(new, live[new.path], old, known, target.marks)
        if found is not None:
            yield found
