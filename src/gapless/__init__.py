"""Restart or deploy anything that is not on Kubernetes without losing a request, and prove it.

    from gapless import load, plan, restart, deploy

    project = load("gapless.yaml")                     # ConfigError tells every problem at once
    print(plan(project, "restart").digest)             # what would be done, as data
    report = restart(project, ["shop.api"], reason="new certificates")
    report.exit_code                                   # 0 done; never 0 after a rollback

Durations are seconds. Errors derive from :class:`gapless.errors.GaplessError`.
"""

from __future__ import annotations

# asyncio costs half of `gapless --help`: it is imported where it runs
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

if TYPE_CHECKING:
    from gapless.plans import Plan
    from gapless.project import Project
    from gapless.report.report import Report

__version__ = "0.1.0"
__all__ = ["deploy", "load", "plan", "restart"]


class Choices(TypedDict, total=False):
    """What one rollout may choose; left out, the file decides."""

    hosts: str | None
    """Names, groups, globs or ranges: ``web[1:3],!web2``."""
    batch: str | int | None
    """A number of instances or a share (``25%``)."""
    canary: str | int | None
    max_failed: int | None
    on_failure: str | None
    """rollback, stop or pause."""
    skip_migrations: bool
    force: str | None
    """Reason for going on without health gates."""
    offline: bool
    """Plan without asking the hosts."""


def load(path: str | Path = "gapless.yaml", environment: str | None = None) -> Project:
    """Read and check a configuration. Raises ConfigError (with every problem) or UsageError."""
    from gapless import api

    return api.load(path, environment)


def plan(
    project: Project,
    verb: Literal["restart", "deploy"] = "restart",
    services: Sequence[str] = (),
    **options: Unpack[Choices],
) -> Plan:
    """What would be done; ``options`` are :class:`Choices`.

    Asks every host unless ``offline=True``. Raises UsageError, Refused, NoWayBack."""
    import asyncio

    from gapless import api

    return asyncio.run(api.make_plan(project, verb, services, **options))


def restart(
    project: Project, services: Sequence[str] = (), *, reason: str = "", prove: bool = False,
    **options: Unpack[Choices],
) -> Report:  # fmt: skip
    """Restart services in dependency order and return what came of it.

    ``prove`` measures the gap during the change. Raises Refused, LockHeld before any change."""
    return _carry_out(project, "restart", services, reason, options, prove=prove)


def deploy(
    project: Project, services: Sequence[str] = (), *, reason: str = "", prove: bool = False,
    **options: Unpack[Choices],
) -> Report:  # fmt: skip
    """Deploy releases, migrate, restart, and return what came of it; else as ``restart``."""
    return _carry_out(project, "deploy", services, reason, options, prove=prove)


def _carry_out(
    project: Project,
    verb: Literal["restart", "deploy"],
    services: Sequence[str],
    reason: str,
    options: Choices,
    *,
    prove: bool,
) -> Report:
    import asyncio

    from gapless import api

    async def run() -> Report:
        async with api.connected(project) as connected:
            made = await api.make_plan(connected, verb, services, **options)
            return await api.execute(connected, made, reason=reason, prove=prove)

    return asyncio.run(run())
