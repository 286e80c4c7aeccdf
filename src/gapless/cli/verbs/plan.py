"""``gapless plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import (
    Choice,
    Where,
    choice_option,
    json_option,
    services_argument,
    where_option,
)

if TYPE_CHECKING:
    from gapless.plans import Plan


@click.command("plan")
@services_argument
@choice_option
@click.option("--reason", default="", help="Why; needed with --force.")
@click.option("--offline", is_flag=True, help="Ask no host and no balancer.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit 10 when there is something to do, 3 when that would be refused.",
)
@click.option("-o", "--output", help="Write it to a file for restart or deploy.")
@click.option("-v", "--verbose", is_flag=True, help="Steps, and what they are made of.")
@click.option("--diff", is_flag=True, help="All that changes in configuration files.")
@json_option
@where_option
def command(
    services: tuple[str, ...],
    choice: Choice,
    where: Where,
    *,
    reason: str,
    offline: bool,
    exit_code: bool,
    output: str | None,
    verbose: bool,
    diff: bool,
    as_json: bool,
) -> int:
    """Show what would be done, and change nothing.

    The first of SERVICES may be restart, deploy or rollback; without, it is restart. After rollback
    comes what gapless rollback takes: a rollout's id or a service, or nothing.
    """
    from gapless.cli.output import note, result, result_json, width
    from gapless.cli.planning import planned, verb_of
    from gapless.cli.rolling import refuse_force_without_reason
    from gapless.cli.standing import tell_in_the_way
    from gapless.planning import store
    from gapless.plans import to_json
    from gapless.render.plan import render_plan
    from gapless.render.spelling import spelled

    refuse_force_without_reason(choice, reason)
    verb, names = verb_of(services)
    project = where.load()
    plan = planned(project, verb, names, choice, reason, offline=offline, written=bool(output))
    if as_json:
        result_json({**to_json(plan), "digest": plan.digest})
    else:
        result(render_plan(plan, verbose=verbose, diff=diff, width=width()))
    if output:
        store.save(plan, output)
        note(spelled(f"Written to {output}; carry it out with: gapless {verb} {output}\n"))
    in_the_way = tell_in_the_way(project, plan)
    return _answer(plan, in_the_way) if exit_code else ExitCode.DONE


def _answer(plan: Plan, in_the_way: bool) -> ExitCode:
    """Whether there is something to do, and whether it would be done."""
    from gapless.planning.refusals import refusals

    if plan.services and (in_the_way or refusals(plan.services)):
        return ExitCode.REFUSED
    return ExitCode.PENDING if plan.services else ExitCode.DONE
