"""Restart or deploy anything that is not on Kubernetes without losing a request, and prove it.

    from gapless import load, plan, restart, deploy

    project = load("gapless.yaml")                     # ConfigError tells every problem at once
    print(plan(project, "restart").digest)             # what would be done, as data
    report = restart(project, ["shop.api"], reason="new certificates")
    report.exit_code                                   # 0 done; never 0 after a rollback

Durations are seconds. Errors derive from :class:`gapless.errors.GaplessError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gapless.api import Project
    from gapless.plan import Plan
    from gapless.report.report import Report

__version__ = "0.1.0"
__all__ = ["deploy", "load", "plan", "restart"]


def load(path: str | Path = "gapless.yaml", environment: str | None = None) -> Project:
    """Read and check a configuration. Raises ConfigError (with every problem) or UsageError."""
    from gapless import api

    return api.load(path, environment)


def plan(
    project: Project,
    verb: Literal["restart", "deploy"] = "restart",
    services: Sequence[str] = (),
    **options: Any,
) -> Plan:
    """What would be done; ``options`` are those of :func:`gapless.api.make_plan`.

    Asks every host unless ``offline=True``. Raises UsageError, Refused, NoWayBack."""
    from gapless import api

    return asyncio.run(api.make_plan(project, verb, services, **options))


def restart(
    project: Project, services: Sequence[str] = (), *, reason: str = "", prove: bool = False,
    **options: Any,
) -> Report:  # fmt: skip
    """Restart services in dependency order and return what came of it.

    ``prove`` measures the gap during the change. Raises Refused, LockHeld before any change."""
    return _carry_out(project, "restart", services, reason, options, prove=prove)


def deploy(
    project: Project, services: Sequence[str] = (), *, reason: str = "", prove: bool = False,
    **options: Any,
) -> Report:  # fmt: skip
    """Deploy releases, migrate, restart, and return what came of it; else as ``restart``."""
    return _carry_out(project, "deploy", services, reason, options, prove=prove)


def _carry_out(
    project: Project,
    verb: Literal["restart", "deploy"],
    services: Sequence[str],
    reason: str,
    options: dict[str, Any],
    *,
    prove: bool,
) -> Report:
    from gapless import api

    async def run() -> Report:
        made = await api.make_plan(project, verb, services, **options)
        return await api.execute(project, made, reason=reason, prove=prove)

    return asyncio.run(run())
