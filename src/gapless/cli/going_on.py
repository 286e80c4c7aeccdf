"""``resume`` and ``promote``: a living controller is asked, else this process goes on."""

from __future__ import annotations

from typing import Literal

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Choice, Consent, Show, Where
from gapless.cli.output import note
from gapless.cli.rolling import terminal
from gapless.cli.running import run_rollout
from gapless.cli.standing import standing
from gapless.errors import UsageError
from gapless.render.spelling import spelled


def only_one(what: tuple[str, ...], choice: Choice, *, prove: bool, dry_run: bool) -> str | None:
    """The rollout that is meant; options and more words belong to a deploy."""
    if len(what) > 1 or choice.changes_plan or prove or dry_run:
        raise UsageError(
            "a rollout goes on as it was planned: services and options need --from",
            next="gapless promote [ROLLOUT], or gapless promote --from ENVIRONMENT [SERVICES]",
        )
    return what[0] if what else None


def go_on(
    request: Literal["resume", "promote"],
    where: Where,
    rollout: str | None,
    show: Show,
    consent: Consent,
) -> int:
    """Have the rollout go on. Promote approves what it waits for; so does resume, when it waits
    for nothing else."""
    from gapless import api
    from gapless.engine.journal import every_event

    project = where.load()
    record = standing(project, api.unfinished(project, rollout))
    name, alive = record.id, project.journal.is_alive(record.id)
    if request == "promote" or (record.state == "paused" and record.outcome == "paused"):
        api.approve(project, name, reason=consent.reason)
    if alive or request == "promote":
        api.signal(project, name, request)
    if alive:
        note(spelled(f"Asked rollout {name} to go on; see it with: gapless watch {name}\n"))
        return ExitCode.DONE
    return run_rollout(
        lambda observe, interrupts: api.resume(
            project, name, observer=observe, interrupts=interrupts
        ),
        show,
        project.journal.load(name)[1],
        asked=not consent.yes and terminal(),
        before=every_event(project.journal, name),
    )
