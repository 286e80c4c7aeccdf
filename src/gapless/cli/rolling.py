"""What ``restart`` and ``deploy`` do: plan, ask, carry out."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gapless.cli.again import again
from gapless.cli.confirming import confirmed
from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Choice, Consent, Show, Where
from gapless.cli.output import note, result, width
from gapless.cli.running import finish, run_rollout
from gapless.cli.standing import tell_in_the_way
from gapless.cli.telling import aloud
from gapless.engine.standing import refuse_owned
from gapless.errors import UsageError
from gapless.events.event import Event
from gapless.plans import Plan
from gapless.render.plan import render_plan
from gapless.report.report import Report
from gapless.report.summarize import summarize

if TYPE_CHECKING:
    from gapless.engine.interrupts import Interrupts
    from gapless.project import Project

Verb = Literal["restart", "deploy"]


def roll(
    verb: Verb, where: Where, services: tuple[str, ...], choice: Choice, consent: Consent,
    show: Show, *, prove: bool, dry_run: bool, promote_from: str = "",
) -> int:  # fmt: skip
    """Plan it, show it, ask, and do it."""
    refuse_force_without_reason(choice, consent.reason)
    project = where.load()
    if not (dry_run or consent.yes or terminal()):
        if plan_file(services) is None:
            refuse_unknown(project, services, choice.hosts)
        raise nobody_to_ask()
    if prove:
        from gapless.proving import refuse_nothing_to_ask

        refuse_nothing_to_ask(project)
    with asyncio.Runner() as runner, _connected(runner, project, consent) as project:
        plan = _plan(runner, project, verb, services, choice, consent, promote_from)
        if dry_run:
            result(render_plan(plan, verbose=show.verbose, width=width()))
            tell_in_the_way(project, plan)
            return ExitCode.DONE
        if not plan.services:  # what an unfinished rollout is about is not where it should be
            refuse_owned(project.journal, {one.service for one in plan.untouched})
            return finish(summarize(plan, ()), show)
        if not consent.yes and not agreed(plan, show):
            return ExitCode.REFUSED
        ready = plan_file(services) is not None
        work = _work(project, plan, consent, prove=prove, ready=ready)
        return run_rollout(work, show, plan, runner, asked=not consent.yes and terminal())


@contextlib.contextmanager
def _connected(runner: asyncio.Runner, project: Project, consent: Consent) -> Iterator[Project]:
    """Plan and rollout over the same connections, unless a person is asked in between: nothing
    would keep them alive meanwhile."""
    from gapless import api

    if not consent.yes:
        yield project
        return
    keeping = api.connected(project)
    connected = runner.run(keeping.__aenter__())
    try:
        yield connected
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # how it ended is decided by now
            runner.run(keeping.__aexit__(None, None, None))


def _plan(
    runner: asyncio.Runner, project: Project, verb: Verb, services: tuple[str, ...],
    choice: Choice, consent: Consent, promote_from: str,
) -> Plan:  # fmt: skip
    file = plan_file(services)
    if file is not None:
        return _ready(file, verb, choice)
    wish = make(project, verb, services, choice, consent, promote_from=promote_from)
    with aloud():
        return runner.run(wish, context=copy_context())


def make(
    project: Project, verb: Verb, services: tuple[str, ...], choice: Choice, consent: Consent,
    *, offline: bool = False, promote_from: str = "",
) -> Coroutine[Any, Any, Plan]:  # fmt: skip
    """The plan for what was said."""
    from gapless import api

    return api.make_plan(
        project,
        verb,
        services,
        hosts=choice.hosts,
        batch=choice.batch,
        canary=choice.canary,
        max_failed=choice.max_failed,
        on_failure=choice.on_failure,
        skip_migrations=choice.skip_migrations,
        no_way_back=choice.no_way_back,
        force=consent.reason if choice.force else None,
        offline=offline,
        promote_from=promote_from,
    )


def plan_file(services: tuple[str, ...]) -> Path | None:
    """The plan meant by the only argument, if that is a file and not a service."""
    files = [word for word in services if word.endswith(".json")]
    if files and len(services) > 1:
        raise UsageError(
            f"{files[0]} is a plan: it is carried out whole, without other services",
            next="gapless plan with the services that are meant",
        )
    return Path(files[0]) if files else None


def refuse_force_without_reason(choice: Choice, reason: str) -> None:
    """Whoever skips the gates or gives the way back up says why."""
    said = {
        "--force skips health gates": choice.force,
        "--no-way-back gives the way back up": choice.no_way_back,
    }
    for what in (what for what, given in said.items() if given and not reason.strip()):
        raise UsageError(f"{what} and needs --reason", next="add --reason 'why it has to be'")


def _ready(file: Path, verb: Verb, choice: Choice) -> Plan:
    from gapless import api

    if not file.exists():
        raise UsageError(f"there is no {file}", next=f"gapless plan {verb} -o {file}")
    try:
        plan = api.load_plan(file)
    except UsageError as error:  # what a file holds does not say what is wanted
        error.next = error.next.replace("gapless plan -o", f"gapless plan {verb} -o")
        raise
    if plan.verb.value != verb:
        raise UsageError(
            f"{file} is a plan to {plan.verb.value}", next=f"gapless {plan.verb.value} {file}"
        )
    if choice.changes_plan:
        raise UsageError(
            "a ready plan is carried out as it is; options that change it come with gapless plan",
            next=f"gapless plan {verb} … -o {file}",
        )
    return plan


def _work(
    project: Project, plan: Plan, consent: Consent, *, prove: bool, ready: bool
) -> Callable[[Callable[[Event], None], Interrupts], Awaitable[Report]]:
    from gapless import api

    async def work(observe: Callable[[Event], None], interrupts: Interrupts) -> Report:
        try:
            return await api.execute(
                project,
                plan,
                reason=consent.reason,
                prove=prove,
                observer=observe,
                interrupts=interrupts,
                check_stale=ready,
            )
        finally:  # while Ctrl-C is still listened to: a silent host takes its time
            if project.connections is not None:
                await project.connections.close()

    return work


def refuse_unknown(project: Project, services: tuple[str, ...], hosts: str | None) -> None:
    """What is misspelled is told before anything else about the command. Raises UsageError."""
    from gapless.inventory.inventory import Inventory

    inventory = Inventory(project.config)
    inventory.services(services)
    if hosts is not None:
        inventory.select(hosts)


def nobody_to_ask() -> UsageError:
    """The refusal of what changes something without a terminal and without --yes."""
    return UsageError(
        "nobody can be asked: this is not a terminal",
        next=f"{again('--dry-run')}, then {again('--yes')}",
    )


def terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(plan: Plan, show: Show) -> bool:
    """Show the plan and ask whether to go on."""
    note(render_plan(plan, verbose=show.verbose, width=width()) + "\n")
    return confirmed("Go on?")
