"""What ``rollback`` does: plan it from the journal, show it, ask, carry it out."""

from __future__ import annotations

from gapless.cli.again import again
from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Consent, Show, Where
from gapless.cli.output import result, width
from gapless.cli.rolling import agreed, nobody_to_ask, terminal
from gapless.cli.running import run_rollout
from gapless.errors import StalePlan
from gapless.render.plan import render_plan


def go_back(
    where: Where, target: str | None, hosts: str | None, consent: Consent, show: Show,
    *, dry_run: bool,
) -> int:  # fmt: skip
    """Take a rollout back, after a person has read what that means."""
    from gapless import api

    project = where.load()
    plan = api.make_rollback(project, target, hosts)
    if not (dry_run or consent.yes or terminal()):
        raise nobody_to_ask()
    if dry_run:
        result(render_plan(plan, verbose=show.verbose, width=width()))
        return ExitCode.DONE
    if not consent.yes:
        if not agreed(plan, show):
            return ExitCode.REFUSED
        if api.make_rollback(project, target, hosts).digest != plan.digest:
            raise StalePlan("another rollout ended since the plan was shown", next=again())
    return run_rollout(
        lambda observe, interrupts: api.execute(
            project,
            plan,
            reason=consent.reason or f"takes {plan.parent} back",
            observer=observe,
            interrupts=interrupts,
        ),
        show,
        plan,
    )
