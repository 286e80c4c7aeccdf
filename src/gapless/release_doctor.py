"""Examines what a deploy needs besides the hosts: the repository, from where it is fetched; its
ref, and the secrets of templates, from here."""

from __future__ import annotations

from collections.abc import Sequence

from gapless.config.releases import ReleaseConfig
from gapless.config.secrets import resolve_secret
from gapless.drivers.config_files.rendering import needed
from gapless.drivers.releases import git_refs
from gapless.drivers.releases.git_commands import Git, environment
from gapless.drivers.releases.git_mirror import OURS
from gapless.drivers.releases.here import Here, own_environment
from gapless.drivers.transports.base import Transport
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import UsageError
from gapless.finding import Finding
from gapless.inventory.inventory import Inventory
from gapless.model import Verdict, VerdictStatus
from gapless.places import machine_of


async def examine_fetch(
    transport: Transport, service: str, release: ReleaseConfig | None
) -> list[Finding]:
    """Nothing for releases that the controller sends."""
    if release is None or release.git is None or release.fetch != "host":
        return []
    done = await transport.run(Git(environment(release.ssh)).reached(release.git))
    asked = f"git ls-remote {release.git}"
    if done.ok:
        verdict = Verdict(VerdictStatus.PASS, "fetch", asked, "the repository answers")
        return [Finding(transport.host, service, verdict)]
    told = "; ".join(line for line in done.evidence().splitlines() if line)
    answer = "no answer in time" if done.timed_out else told or f"status {done.status}"
    remedy = f"on {transport.host}: {asked}; or release.fetch: controller"
    return [
        Finding(
            transport.host, service, Verdict(VerdictStatus.FAIL, "fetch", asked, answer), remedy
        )
    ]


async def examine_sources(
    assembly: ProjectAssembly, inventory: Inventory, hosts: Sequence[str]
) -> list[Finding]:
    """Of the services of these hosts, each once: secrets their templates ask for can be read, and
    the ref of their repository exists. No value of a secret is kept or told."""
    places = {
        name: dict.fromkeys(map(machine_of, inventory.hosts_of(name)))
        for name in assembly.config.services
    }
    names = [name for name, on in places.items() if {*on} & {*hosts}]
    found = [await _ref(n, assembly.service(n).release) for n in names]
    asked = [(name, host) for name in names for host in places[name] if host in hosts]
    found += [await _secret(reference) for reference in needed(assembly.config, asked)]
    return [finding for finding in found if finding is not None]


async def _ref(service: str, release: ReleaseConfig | None) -> Finding | None:
    """None where there is no name to look for: a commit is looked for in the history."""
    if release is None or release.git is None:
        return None
    asked, wanted = f"git ls-remote {release.git}", release.ref or "the default branch"
    done = await Here().run(
        Git({**own_environment(*OURS), **environment(release.ssh)}).advertised(release.git)
    )
    if not done.ok:
        said = "no answer in time" if done.timed_out else done.evidence() or f"status {done.status}"
        return Finding("", service, Verdict(VerdictStatus.FAIL, "ref", asked, said), asked)
    try:
        if release.ref is None or not git_refs.is_whole(release.ref):
            git_refs.commit_of(release.ref, git_refs.read(done.stdout), release.git)
    except UsageError as error:
        hint = "; ".join(error.evidence.splitlines())
        verdict = Verdict(VerdictStatus.FAIL, "ref", asked, f"{error.what}; {hint}".rstrip("; "))
        return Finding("", service, verdict, f"write one that exists: release.ref of {service}")
    verdict = Verdict(VerdictStatus.PASS, "ref", asked, f"{wanted} can be looked for")
    return Finding("", service, verdict)


async def _secret(reference: str) -> Finding:
    asked = f"read {reference}"
    try:
        await resolve_secret(reference)
    except UsageError as error:
        verdict = Verdict(VerdictStatus.FAIL, "secret", asked, error.what)
        return Finding("", "secret", verdict, "mend it, or the reference below secrets:")
    return Finding("", "secret", Verdict(VerdictStatus.PASS, "secret", asked, "it can be read"))
