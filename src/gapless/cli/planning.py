"""What ``gapless plan`` is asked for: a verb, and what that takes."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import Literal, cast

from gapless.cli.options import Choice, Consent
from gapless.cli.rolling import make
from gapless.cli.telling import aloud
from gapless.errors import UsageError
from gapless.plans import Plan
from gapless.project import Project

Verb = Literal["restart", "deploy", "rollback"]
_VERBS = ("restart", "deploy", "rollback")


def verb_of(words: tuple[str, ...]) -> tuple[Verb, tuple[str, ...]]:
    """The verb, restart when none is said, and the words behind it."""
    if words and words[0] in _VERBS:
        return cast(Verb, words[0]), words[1:]
    return "restart", words


def planned(
    project: Project, verb: Verb, words: tuple[str, ...], choice: Choice, reason: str,
    *, offline: bool, written: bool,
) -> Plan:  # fmt: skip
    """The plan; asks the hosts unless ``offline``, and none for a rollback."""
    if verb == "rollback":
        return _rollback(project, words, choice, written=written)
    _refuse_slip(project, words)
    consent = Consent(reason, yes=True)
    with aloud():
        return asyncio.run(make(project, verb, words, choice, consent, offline=offline))


def _rollback(project: Project, words: tuple[str, ...], choice: Choice, *, written: bool) -> Plan:
    from gapless import api

    if len(words) > 1:
        raise UsageError(
            "a rollback takes back one rollout, or the last one of one service",
            next=f"gapless plan rollback {words[0]}",
        )
    if written or choice.changes_rollback:
        raise UsageError(
            "a rollback is planned from the journal: of the options only --hosts changes it, and"
            " it is carried out without a file",
            next="gapless plan rollback --help",
        )
    return api.make_rollback(project, words[0] if words else None, choice.hosts)


def _refuse_slip(project: Project, words: tuple[str, ...]) -> None:
    """A verb that was spelled wrong is looked for among the services."""
    first = words[0] if words else ""
    close = get_close_matches(first, _VERBS, n=1, cutoff=0.7)
    if close and first not in project.config.services:
        raise UsageError(
            f"there is neither a verb nor a service '{first}' — did you mean '{close[0]}'?",
            next=" ".join(("gapless plan", close[0], *words[1:])),
        )
