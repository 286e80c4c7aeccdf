"""Examines whether a host reaches the repository it is to fetch releases from by itself."""

from __future__ import annotations

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases.git_commands import Git, environment
from gapless.drivers.transports.base import Transport
from gapless.finding import Finding
from gapless.model import Verdict, VerdictStatus


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
