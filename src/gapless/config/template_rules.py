"""Files of ``services.NAME.config`` that can never be where they are to be."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence

from gapless.config.addresses import own_fields
from gapless.config.hosts import HostConfig
from gapless.config.problems import did_you_mean
from gapless.config.references import Finding, Path
from gapless.config.services import ServiceConfig
from gapless.config.shared_folders import machine_of
from gapless.config.templates import ConfigFileConfig

_KERNEL = ("/dev", "/proc", "/sys")


def check_files(name: str, service: ServiceConfig, state: Collection[str]) -> Iterator[Finding]:
    """What one service asks for; ``state``: folders that hold the state of gapless on hosts."""
    for index, file in enumerate(service.config):
        path: Path = ("services", name, "config", index)
        if why := _place(file.to, service, state):
            yield Finding((*path, "to"), f"to: '{file.to}' {why[0]}", why[1])
        for text, hint in _validator(file.validate_, service) if file.validate_ else ():
            yield Finding((*path, "validate"), f"validate: {text}", hint)


def _validator(argv: Sequence[str], service: ServiceConfig) -> Iterator[tuple[str, str]]:
    words = " ".join(argv)
    if "{file}" not in words:
        hint = "it stands for the new file; the one that is live would be looked at"
        yield "{file} is nowhere in the command", hint
    if "{folder}" in words and service.release is None:
        yield "{folder} is the folder of the new release, and there is none", "add release:"
    for field in dict.fromkeys(own_fields(words)):
        hint = "{file} is the new file, {folder} the folder of the new release"
        yield f"unknown placeholder {field}", hint


def _place(to: str, service: ServiceConfig, state: Collection[str]) -> tuple[str, str] | None:
    if not to.startswith("/") or not to.isprintable():
        return "must be an absolute path on the host", "as /etc/shop/api.conf"
    if to != (plain := posixpath.normpath("/" + to.lstrip("/"))):
        return "must be the plain path of a file", f"write {plain}"
    if filled := own_fields(to):
        return f": {filled[0]} would be part of the name", "nothing is filled in here"
    if any(_below(root, to) for root in _KERNEL):
        return "is the kernel's", ""
    for kept in state:
        if _below(kept, to):
            return f"is in the state of gapless ({kept})", ""
    if service.release and _below(service.release.to, to):
        hint = "the release brings and removes what is in there; put it elsewhere, as into /etc"
        return f"is inside the release's folder {service.release.to}", hint
    return None


def _below(folder: str, path: str) -> bool:
    return path.startswith(posixpath.normpath(folder).rstrip("/") + "/")


def check_owners(
    services: Mapping[str, ServiceConfig],
    places: Mapping[str, tuple[str, ...]],
    hosts: Mapping[str, HostConfig],
) -> Iterator[Finding]:
    """Files that two would write: one finding for each that comes second."""
    owner: dict[tuple[str, str], tuple[str, str, int]] = {}
    for name, service in services.items():
        for index, file in enumerate(service.config):
            told = False
            for host in places[name]:
                place = machine_of(host, hosts.get(host)), file.to
                first = owner.setdefault(place, (name, host, index))
                if first != (name, host, index) and not told:
                    told = True
                    yield _shared(name, host, index, file, first)


def _shared(
    name: str, host: str, index: int, file: ConfigFileConfig, first: tuple[str, str, int]
) -> Finding:
    both = f"'{first[0]}' and '{name}'" if first[0] != name else f"{first[1]} and {host}"
    if first[:2] == (name, host):
        both = "two entries"
    text = f"to: {both} would write {file.to} on one machine"
    return Finding(("services", name, "config", index, "to"), text, "give each a file of its own")


def check_groups(named: Collection[str], known: Collection[str]) -> Iterator[Finding]:
    """Groups with variables in which there is no host."""
    for group in named:
        if group not in known and group != "all":
            hint = did_you_mean(group, known) or "hosts say which groups they are in"
            yield Finding(("groups", group), f"no host is in group '{group}'", hint)
