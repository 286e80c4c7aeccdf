"""The five questions of ``init``, and what can be guessed instead."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from gapless.cli.again import again
from gapless.cli.exit_codes import ExitCode
from gapless.cli.output import note
from gapless.config.scaffold import EXAMPLE, Answers, service_name, write_config
from gapless.config.source import DEFAULT_FILE, load_config
from gapless.errors import ConfigError, UsageError
from gapless.render.spelling import remember, spelled

UNITS = Path("/etc/systemd/system")
HAPROXY = Path("/run/haproxy/admin.sock")


@dataclass(frozen=True, slots=True)
class Given:
    """What was said by options; None was not said."""

    project: str | None
    hosts: tuple[str, ...]
    units: tuple[str, ...]
    health: tuple[str, ...]
    haproxy: str | None
    user: str


def write(given: Given, config: str, *, ask: bool, overwrite: bool) -> int:
    """Ask what is missing, write the file, and see that it is right."""
    path = Path(config)
    remember(config, None, DEFAULT_FILE)
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists", next=f"gapless check, or {again('--overwrite')}")
    if ask and not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked: this is not a terminal",
            next=f"{again('--yes')}, with options for what is not to be guessed",
        )
    answers = _answers(given, ask=ask)
    _write(path, write_config(answers))
    note(spelled(f"✓  {path} is written\n   next    {_next(answers)}\n"))
    return ExitCode.DONE


def _next(answers: Answers) -> str:
    checks = "gapless check, then gapless doctor"
    return checks if answers.units else f"put your unit in place of {EXAMPLE}; then {checks}"


def _write(path: Path, text: str) -> None:
    """Beside the file first: what does not pass the check never replaces what is there."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        load_config(draft)
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            next=f"ls -ld {shlex.quote(str(path.parent))}",
        ) from None
    except ConfigError as error:
        told = "\n".join(f"{p.text}{p.hint and f' — {p.hint}'}" for p in error.problems)
        raise UsageError(
            f"{path} is not written: these answers do not make a right file",
            evidence=told,
            next="gapless init with other answers",
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _answers(given: Given, *, ask: bool) -> Answers:
    project = given.project or _ask("1. Name of the project", _slug(Path.cwd().name), ask=ask)
    hosts = given.hosts or _words("2. Machines (web[1:4].example db1; none: this one)", "", ask=ask)
    found = " ".join(units_here()) if not hosts else ""
    units = given.units or _words("3. systemd units", found, ask=ask)
    asked = _health(units, given.health, ask=ask)
    haproxy = given.haproxy
    if haproxy is None:
        there = os.path.exists(HAPROXY)  # noqa: PTH110 - says no where it may not look
        socket = str(HAPROXY) if there else ""
        haproxy = _ask("5. HAProxy socket, none without", socket, ask=ask)
    return Answers(project, hosts, given.user, units, asked, haproxy)


def _health(units: tuple[str, ...], given: tuple[str, ...], *, ask: bool) -> dict[str, str]:
    """How each unit is asked; two units never have the same address by accident."""
    if not given:
        question = "4. How to tell that {} is healthy (URL, host:port, command)"
        said = {unit: _ask(question.format(unit), "", ask=ask) for unit in units}
        return {unit: asked for unit, asked in said.items() if asked}
    found: dict[str, str] = {}
    for word in given:
        name, _, asked = word.partition("=")
        named = [unit for unit in units if name in (unit, service_name(unit))]
        if not named and len(units) > 1:
            raise UsageError(
                f"--health {word}: which of {len(units)} units is asked so?",
                next=f"gapless init --health {service_name(units[0])}=URL",
            )
        found.update({named[0]: asked} if named else dict.fromkeys(units, word))
    return {unit: asked for unit, asked in found.items() if asked}


def _ask(question: str, guess: str, *, ask: bool) -> str:
    if not ask:
        return guess
    return str(click.prompt(question, default=guess, show_default=bool(guess), err=True)).strip()


def _words(question: str, guess: str, *, ask: bool) -> tuple[str, ...]:
    return tuple(re.split(r"[\s,]+", text) if (text := _ask(question, guess, ask=ask)) else ())


def units_here(folder: Path = UNITS) -> tuple[str, ...]:
    """Units somebody wrote by hand on this machine: files, not links of packages."""
    if not folder.is_dir():
        return ()
    files = (path for path in folder.glob("*.service") if not path.is_symlink())
    return tuple(sorted(path.name for path in files if "@." not in path.name))


def _slug(name: str) -> str:
    """A project name out of a folder's."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")
    return slug[:63] or "project"
