"""``resume`` and ``promote``: a living controller is asked, else this process goes on."""

from __future__ import annotations

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Choice, Show, Where
from gapless.cli.output import note
from gapless.cli.running import run_rollout
from gapless.cli.spelling import spelled
from gapless.errors import UsageError


def only_one(what: tuple[str, ...], choice: Choice, *, prove: bool, dry_run: bool) -> str | None:
    """The rollout that is meant; options and more words belong to a deploy."""
    if len(what) > 1 or choice.changes_plan or prove or dry_run:
        raise UsageError(
            "a rollout goes on as it was planned: services and options need --from",
            next="gapless promote [ROLLOUT], or gapless promote --from ENVIRONMENT [SERVICES]",
        )
    return what[0] if what else None


def go_on(request: str, where: Where, rollout: str | None, show: Show) -> int:
    """Have the rollout go on."""
    from gapless import api

    project = where.load()
    name = api.unfinished(project, rollout).id
    alive = project.journal.is_alive(name)
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
    )
