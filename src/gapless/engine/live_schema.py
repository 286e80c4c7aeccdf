"""Which schema version a service's data has now, and where its migrations run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gapless.config.secrets import resolve_secrets
from gapless.config.services import ServiceConfig
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.errors import StepError
from gapless.model import Command

_NOT_FOUND = 127
"""Status of a program, or a folder to run it in, that is not there."""


_WANTED = "schema.current and migrate.current must print an integer and exit 0"


class NothingToAsk(StepError):
    """The program that prints the live version is not on the host."""


@dataclass(frozen=True, slots=True)
class SchemaQuestion:
    """The command that prints the live version, and what it runs with."""

    argv: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


def question_of(service: ServiceConfig) -> SchemaQuestion | None:
    """What the release's ``schema.current`` asks, else ``migrate.current``; None without both. A
    migration's environment and user are those of the data."""
    declared = service.release.schema_ if service.release else None
    migrate = service.migrate
    argv = (declared.current if declared else None) or (migrate.current if migrate else None)
    if argv is None:
        return None
    if migrate is None:
        return SchemaQuestion(argv)
    return SchemaQuestion(argv, migrate.cwd, migrate.env, migrate.secrets, migrate.user)


async def schema_folder(
    transport: Transport, runtime: Runtime, cwd: str | None, release: str | None
) -> str | None:
    """``cwd``, else the folder of the release, else the unit's own WorkingDirectory; None where
    there is none of them: the login's home."""
    if cwd or release:
        return cwd or release
    now = await runtime.observe(transport)
    folder = now.detail.get("WorkingDirectory", "").lstrip("!-")  # "it may be missing"
    return folder if folder.startswith("/") else None


async def live_version(
    transport: Transport, question: SchemaQuestion | None, cwd: str | None
) -> int | None:
    """What it prints in the folder ``cwd``; None without a question. Raises StepError for anything
    but an integer, NothingToAsk where the program is not there."""
    if question is None:
        return None
    done = await transport.run(
        Command(
            question.argv,
            timeout=60.0,
            cwd=cwd,
            env=question.env,
            secrets=await resolve_secrets(question.secrets),
            user=question.user,
        )
    )
    words = done.stdout.split()
    if not done.ok or not words or not words[-1].isdigit():
        problem = NothingToAsk if done.status == _NOT_FOUND else StepError
        raise problem(
            "the live schema version cannot be read",
            where=transport.host,
            evidence=f"{' '.join(question.argv)} → {done.evidence(3) or f'status {done.status}'}",
            next=_way_out(question, cwd) if problem is NothingToAsk else _WANTED,
        )
    return int(words[-1])


def _way_out(question: SchemaQuestion, cwd: str | None) -> str:
    """A release that is to bring the program cannot be asked by it before it is deployed."""
    missing, where = question.argv[0], f" to {cwd}" if cwd else ""
    return (
        f"bring {missing}{where}; if a new release brings it, deploy that one first, with"
        " schema.current and migrate.current taken out of gapless.yaml, then put them back"
    )
