"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gapless.cli.completing import (
    complete_hosts,
    complete_instances,
    complete_open_rollouts,
    complete_rollouts,
    complete_services,
)
from gapless.render.spelling import remember

if TYPE_CHECKING:
    from gapless.project import Project

F = TypeVar("F", bound=Callable[..., Any])
CONFIG = "gapless.yaml"
MODES = ("auto", "tty", "plain", "jsonl", "quiet")


@dataclass(frozen=True, slots=True)
class Where:
    """Which project is meant."""

    config: str
    environment: str | None

    def __post_init__(self) -> None:
        """Commands that are told repeat it."""
        ctx = click.get_current_context(silent=True)
        hosts = ctx.params.get("hosts") if ctx else None
        verb = (ctx.info_name or "") if ctx else ""
        remember(self.config, self.environment, CONFIG, verb, hosts)

    def load(self) -> Project:
        """Read and check it."""
        from gapless import api

        return api.load(self.config, self.environment)


@dataclass(frozen=True, slots=True)
class Show:
    """How a rollout and its result are shown."""

    progress: str
    json: bool
    verbose: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``restart`` and ``deploy`` let a person say."""

    hosts: str | None
    batch: str | None
    canary: str | None
    max_failed: int | None
    on_failure: str | None
    force: bool
    skip_migrations: bool = False
    no_way_back: bool = False

    @property
    def changes_plan(self) -> bool:
        """Whether anything was said that a ready plan cannot take any more."""
        values = (self.hosts, self.batch, self.canary, self.max_failed, self.on_failure)
        flags = (self.skip_migrations, self.no_way_back, self.force)
        return any(v is not None for v in values) or any(flags)

    @property
    def changes_rollback(self) -> bool:
        """Whether anything was said that a way back cannot take: all but its hosts."""
        return replace(self, hosts=None).changes_plan


@dataclass(frozen=True, slots=True)
class Consent:
    """Who wants it and whether to ask again."""

    reason: str
    yes: bool


def _gathered(name: str, kind: type, keys: tuple[str, ...], options: list[Any]) -> Callable[[F], F]:
    """A decorator that adds ``options`` and hands them over as one ``kind`` called ``name``."""

    def decorate(function: F) -> F:
        def call(*args: Any, **values: Any) -> Any:
            values[name] = kind(**{key: values.pop(key) for key in keys})
            return function(*args, **values)

        call.__doc__, call.__name__ = function.__doc__, function.__name__
        decorated: Any = call
        decorated.__click_params__ = list(getattr(function, "__click_params__", ()))
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


where_option = _gathered(
    "where",
    Where,
    ("config", "environment"),
    [
        click.option(
            "-c", "--config", default=CONFIG, show_default=True, help="The configuration."
        ),
        click.option("-e", "--environment", help="Overlay of the configuration to use."),
    ],
)

show_option = _gathered(
    "show",
    Show,
    ("progress", "json", "verbose"),
    [
        click.option(
            "--progress", type=click.Choice(MODES), default="auto", show_default=True,
            help="How to show what happens.",
        ),
        click.option("--json", is_flag=True, help="The final report as one JSON document."),
        click.option("-v", "--verbose", is_flag=True, help="Whole logs, all failures, all steps."),
    ],
)  # fmt: skip

hosts_option = click.option(
    "--hosts",
    help="Only these: names, groups, ranges; ! leaves out.",
    shell_complete=complete_hosts,
)

_PACE = ("hosts", "batch", "canary", "max_failed", "on_failure", "force")
_PACE_OPTIONS = (
    hosts_option,
    click.option("--batch", help="Instances at the same time: 2 or 25%."),
    click.option("--canary", help="Those that go first, one after another: 1, 5%, or names."),
    click.option(
        "--max-failed", type=int, help="Failed instances, of all services, that do not stop it."
    ),
    click.option(
        "--on-failure",
        type=click.Choice(("rollback", "stop", "pause")),
        help="Undo the service, leave it as it is, or wait for a person.",
    ),
)
_FORCE = click.option("--force", is_flag=True, help="Skip health gates; needs --reason.")

choice_option = _gathered(
    "choice",
    Choice,
    (*_PACE, "skip_migrations", "no_way_back"),
    [
        *_PACE_OPTIONS,
        click.option("--skip-migrations", is_flag=True, help="Run no migration."),
        click.option(
            "--no-way-back",
            is_flag=True,
            help="Let the schema rise past what an abort could go back to; needs --reason.",
        ),
        _FORCE,
    ],
)

pace_option = _gathered("choice", Choice, _PACE, [*_PACE_OPTIONS, _FORCE])
"""Of those only what is not about the data: nothing new comes to it."""

consent_option = _gathered(
    "consent",
    Consent,
    ("reason", "yes"),
    [
        click.option("--reason", default="", help="Why, for the history and the lock."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    ],
)


def json_option(function: F) -> F:
    """``--json`` for verbs that only look."""
    return click.option("--json", "as_json", is_flag=True, help="As one JSON document.")(function)


instances_argument = click.argument(
    "instances", nargs=-1, metavar="INSTANCE...", shell_complete=complete_instances
)
services_argument = click.argument("services", nargs=-1, shell_complete=complete_services)
rollout_argument = click.argument("rollout", required=False, shell_complete=complete_rollouts)
open_rollout_argument = click.argument(
    "rollout", required=False, shell_complete=complete_open_rollouts
)
