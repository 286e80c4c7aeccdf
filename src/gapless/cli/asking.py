"""The five questions of ``init``, and what can be guessed instead."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.output import note
from gapless.config.scaffold import Answers, write_config
from gapless.config.source import load_config
from gapless.errors import UsageError

UNITS = Path("/etc/systemd/system")
HAPROXY = Path("/run/haproxy/admin.sock")


@dataclass(frozen=True, slots=True)
class Given:
    """What was said by options; None was not said."""

    project: str | None
    hosts: tuple[str, ...]
    units: tuple[str, ...]
    health: str | None
    haproxy: str | None
    user: str


def write(given: Given, config: str, *, ask: bool, overwrite: bool) -> int:
    """Ask what is missing, write the file, and see that it is right."""
    path = Path(config)
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists", next="gapless check, or gapless init --overwrite")
    answers = _answers(given, ask=ask and sys.stdin.isatty())
    try:
        path.write_text(write_config(answers), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    load_config(path)
    note(f"✓  {path} is written\n   next    gapless check, then gapless doctor\n")
    return ExitCode.DONE


def _answers(given: Given, *, ask: bool) -> Answers:
    project = given.project or _ask("1. Name of the project", _slug(Path.cwd().name), ask=ask)
    hosts = given.hosts or _words("2. Machines (web[1:4].example db1; none: this one)", "", ask=ask)
    found = " ".join(units_here()) if not hosts else ""
    units = given.units or _words("3. systemd units", found, ask=ask)
    health = given.health
    if health is None:
        health = _ask("4. How to tell it is healthy (URL, host:port, command)", "", ask=ask)
    haproxy = given.haproxy
    if haproxy is None:
        socket = str(HAPROXY) if HAPROXY.exists() else ""
        haproxy = _ask("5. HAProxy socket, none without", socket, ask=ask)
    asked = dict.fromkeys(units, health) if health else {}
    return Answers(project, hosts, given.user, units, asked, haproxy)


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
