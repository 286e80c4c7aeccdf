"""``resume`` and ``promote``: a living controller is asked, else this process goes on."""

from __future__ import annotations

from gapless.cli.exit_codes import ExitCode
from gapless.cli.options import Show, Where
from gapless.cli.output import note
from gapless.cli.running import run_rollout
from gapless.cli.spelling import spelled


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
