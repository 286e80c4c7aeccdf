"""What ``catch-up`` does: plan what hosts missed, ask, carry it out as a deploy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Choice, Consent, Show, Where
from gapless.cli.output import result, width
from gapless.cli.rolling import (
    agreed,
    nobody_to_ask,
    refuse_force_without_reason,
    terminal,
)
from gapless.cli.running import finish, run_rollout
from gapless.render.plan import render_plan
from gapless.report.summarize import summarize

if TYPE_CHECKING:
    from gapless.catching_up import CatchUpOptions


def catch_up(
    where: Where,
    services: tuple[str, ...],
    choice: Choice,
    consent: Consent,
    show: Show,
    *,
    prove: bool,
    dry_run: bool,
) -> int:
    """Bring what they missed to hosts, after a person has read what that means."""
    from gapless import api

    refuse_force_without_reason(choice, consent.reason)
    project = where.load()
    plan = asyncio.run(api.make_catch_up(project, services, _options(choice, consent)))
    if dry_run:
        result(render_plan(plan, verbose=show.verbose, width=width()))
        return ExitCode.DONE
    if not plan.services:
        return finish(summarize(plan, ()), show)
    if not (consent.yes or terminal()):
        raise nobody_to_ask()
    if not consent.yes and not agreed(plan, show):
        return ExitCode.REFUSED
    missed = ", ".join(dict.fromkeys(service.missed for service in plan.services))
    return run_rollout(
        lambda observe, interrupts: api.execute(
            project,
            plan,
            reason=consent.reason or f"catches up with {missed}",
            prove=prove,
            observer=observe,
            interrupts=interrupts,
        ),
        show,
        plan,
        asked=not consent.yes and terminal(),
    )


def _options(choice: Choice, consent: Consent) -> CatchUpOptions:
    from gapless.catching_up import CatchUpOptions

    return CatchUpOptions(
        hosts=choice.hosts,
        batch=choice.batch,
        canary=choice.canary,
        max_failed=choice.max_failed,
        on_failure=choice.on_failure,
        force=consent.reason if choice.force else None,
    )
