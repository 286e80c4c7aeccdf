"""``release.build:`` — what is made of a release once, before any host is touched."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gapless.config.base import Section
from gapless.config.quantities import Argv, Limit, Names, Secret


def _inside(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names below the release, said plainly."""
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) in (".", "") or name[0] == "-":
            raise ValueError(f"{name!r} is not a name inside the release")
    return tuple(str(PurePosixPath(name)) for name in names)


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("name at least one")
    return _inside(names)


def _no_loader(env: dict[str, Any]) -> dict[str, Any]:
    for name in env:
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} cannot be the name of a variable")
    return env


class BuildConfig(Section):
    """A command whose output folders become part of the release: run once for the same locks."""

    run: Argv
    """The build; runs in a fresh copy of the source, with a clean environment."""
    key: Annotated[Names, AfterValidator(_some)]
    """Lock files (or patterns of them) in the source: while their content, the command, its
    environment and the platform are the same, what was built is used again."""
    keep: Annotated[Names, AfterValidator(_some)]
    """Folders or files that the build leaves and the release gets."""
    env: Annotated[dict[str, str], AfterValidator(_no_loader)] = Field(default_factory=dict)
    """Environment variables; what must stay secret belongs to secrets."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Environment variables read from env:, file: or command: at the moment of use."""
    on: str | None = None
    """Host that builds; default: the machine gapless runs on."""
    platform: str | None = None
    """A name for what the output is tied to, for example ``node20-bookworm``; default: system,
    machine and C library of where it is built."""
    timeout: Limit = 1800.0
    """Limit; a build that does not end is stopped with all its processes and counts as failed."""
