"""All that ``gapless check`` minds: every environment, and files of this machine as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gapless.config.local_files import missing_files
from gapless.config.shell_syntax import shell_syntax
from gapless.config.source import Loaded, environment_names, load_config
from gapless.errors import ConfigError, Problem

Minded = Callable[[Loaded], Iterable[Problem]]
"""Finds more problems in an environment that can be read."""


def checked(
    path: str | Path, environment: str | None = None, also: Iterable[Minded] = ()
) -> tuple[Loaded, ...]:
    """The file as each of its environments has it, or the one that is named. Raises ConfigError
    with the problems of all of them; ``also`` finds more."""
    found = (missing_files, shell_syntax, *also)
    names = (environment,) if environment else environment_names(path) or (None,)
    problems: dict[Problem, None] = {}
    loaded: list[Loaded] = []
    for name in names:
        try:
            loaded.append(load_config(path, name))
            for finds in found:
                problems.update(dict.fromkeys(finds(loaded[-1])))
        except ConfigError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise ConfigError(tuple(sorted(problems, key=lambda p: (p.line, p.column, p.text))))
    return tuple(loaded)


def needs_environment(path: str | Path) -> bool:
    """Whether the file is no whole one without an environment."""
    try:
        load_config(path)
    except ConfigError:
        return True
    return False
