"""The tree of verbs. Nothing of a verb is imported before it is used, not even for help."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import click
from click.shell_completion import CompletionItem

from gapless import __version__
from gapless.cli.word_table import TableGroup

VERBS: Mapping[str, tuple[str, str]] = {
    "init": ("init", "Write a first gapless.yaml."),
    "check": ("check", "Check gapless.yaml; all problems at once."),
    "doctor": ("doctor", "Examine the hosts and say how to mend what is wrong."),
    "plan": ("plan", "Show what restart, deploy or rollback would do."),
    "build": ("build", "Build what releases need, and touch no host."),
    "restart": ("restart", "Restart services one batch after another."),
    "deploy": ("deploy", "Bring the new release to services and switch to it."),
    "catch-up": ("catch_up", "Bring to hosts that were down the release they missed."),
    "rollback": ("rollback", "Take a rollout or the last deploy of a service back."),
    "drain": ("drain", "Take instances out of traffic by hand."),
    "admit": ("admit", "Let instances into traffic by hand."),
    "status": ("status", "What runs where now."),
    "watch": ("watch", "Follow a running rollout to its end."),
    "history": ("history", "Rollouts of the past, and what came of each."),
    "events": ("events", "What happened, event by event."),
    "pause": ("pause", "Begin no new instance until resume."),
    "resume": ("resume", "Go on with a paused or interrupted rollout."),
    "promote": ("promote", "Let a rollout that waits for a person go on."),
    "abort": ("abort", "End a rollout and take back what it switched."),
    "lock": ("lock", "Who owns which service; break a lock."),
    "run": ("run", "Supervise one process that can be flipped."),
    "flip": ("flip", "Replace a supervised process by a new copy of it."),
    "pidwatch": ("pidwatch", "Stay before a daemon whose main process changes."),
    "handover": ("handover", "Programs whose copies change places: verify one."),
    "prove": ("prove", "Measure what clients miss while something changes."),
    "explain": ("explain", "What an error code, event, key or exit code means."),
    "schema": ("schema", "JSON Schema of gapless.yaml, for editors."),
    "completion": ("completion", "Completion for bash, zsh or fish."),
    "version": ("version", "The version of gapless."),
}
"""Verb → (module, help in one line), in the order of the help."""


class LazyGroup(TableGroup):
    """Imports a verb's module when the verb is called."""

    table = VERBS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With did-you-mean."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            close = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"There is no verb '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that help imports nothing."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs from the table, options as ever."""
        verbs = [
            CompletionItem(name, help=text)
            for name, (_, text) in VERBS.items()
            if name.startswith(incomplete)
        ]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return options if incomplete.startswith("-") else verbs


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: gapless explain exit-codes",
)
@click.version_option(__version__, message="gapless %(version)s")
def cli() -> None:
    """Restart or deploy services without losing a request, and prove it."""
