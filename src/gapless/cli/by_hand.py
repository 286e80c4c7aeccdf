"""The command that ``drain`` and ``admit`` are: the same options, another verb."""

from __future__ import annotations

from typing import Literal

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import (
    Show,
    Where,
    hosts_option,
    instances_argument,
    show_option,
    where_option,
)


def command_by_hand(verb: Literal["drain", "admit"], does: str) -> click.Command:
    """The command ``gapless VERB``; ``does`` is what its help says first."""

    @click.command(verb, help=f"{does}\n\n{_INSTANCES}")
    @instances_argument
    @hosts_option
    @click.option("--reason", default="", help="Why, for the history and the lock.")
    @click.option("--force", is_flag=True, help="Skip health gates; needs --reason.")
    @click.option("--dry-run", is_flag=True, help="Show the plan only.")
    @show_option
    @where_option
    def command(
        instances: tuple[str, ...],
        hosts: str | None,
        reason: str,
        show: Show,
        where: Where,
        *,
        force: bool,
        dry_run: bool,
    ) -> int:
        from gapless import api
        from gapless.cli.output import result, width
        from gapless.cli.running import run_rollout
        from gapless.errors import UsageError
        from gapless.render.plan import render_plan

        if force and not reason.strip():
            raise UsageError(
                "--force skips health gates and needs --reason",
                next="add --reason 'why it has to be'",
            )
        project = where.load()
        plan = api.make_by_hand(
            project, verb, instances, hosts=hosts, force=reason if force else None
        )
        if dry_run:
            result(render_plan(plan, verbose=show.verbose, width=width()))
            return ExitCode.DONE
        return run_rollout(
            lambda observe, interrupts: api.execute(
                project, plan, reason=reason, observer=observe, interrupts=interrupts
            ),
            show,
            plan,
        )

    return command


_INSTANCES = (
    "INSTANCE is a service and where it runs: shop.api@web3, shop.api@web[1:3]; hosts alone mean "
    "every service there that has a balancer."
)
