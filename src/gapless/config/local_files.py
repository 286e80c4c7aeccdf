"""Files and folders of this machine that a configuration names and that are not there.

A place gapless may not look into, and the home of a user that is not there, are told as what is
not there: os.path says so, where pathlib raises.
"""
# ruff: noqa: PTH110, PTH111, PTH112, PTH113

from __future__ import annotations

import os.path
from collections.abc import Iterator
from pathlib import Path

from gapless.config.git_url import is_path
from gapless.config.releases import ReleaseConfig
from gapless.config.source import Loaded
from gapless.config.tree import to_data
from gapless.errors import Problem


def missing_files(loaded: Loaded) -> Iterator[Problem]:
    """What a deploy would look for in vain. Only ``gapless check`` minds: a release may be built
    later, and nothing but deploy needs it."""
    yield from _keys(loaded)
    for name, service in loaded.project.services.items():
        path = ("services", name)
        if service.release and service.release.directory:
            directory = service.release.directory
            if not os.path.isdir(directory):
                what = "is not a directory" if os.path.exists(directory) else "does not exist"
                place = (*path, "release", "directory")
                yield loaded.problem(place, f"directory: '{directory}' {what}", "build it first?")
            else:
                yield from _locks(loaded, (*path, "release", "build", "key"), service.release)
        if service.release:
            yield from _source(loaded, (*path, "release"), service.release)
        for index, entry in enumerate(service.verify):
            spec = entry.openapi.spec if entry.openapi and not entry.openapi.is_url else ""
            if spec and not os.path.isfile(spec):
                text = f"openapi: '{spec}' is not a file on this machine"
                yield loaded.problem((*path, "verify", index, "openapi"), text)
        file = service.systemd.file if service.systemd else None
        if file and not os.path.isfile(file):
            text = f"file: '{file}' is not a file on this machine"
            yield loaded.problem((*path, "systemd", "file"), text)


def _source(loaded: Loaded, path: tuple[str, ...], release: ReleaseConfig) -> Iterator[Problem]:
    """Repositories and archives of this machine."""
    if release.git and is_path(release.git) and not os.path.isdir(release.git):
        yield loaded.problem((*path, "git"), f"git: '{release.git}' does not exist")
    archive = release.archive
    if archive and not archive.startswith("https://") and not os.path.isfile(archive):
        text = f"archive: '{archive}' is not a file on this machine"
        yield loaded.problem((*path, "archive"), text, "build it first?")


def _locks(loaded: Loaded, path: tuple[str, ...], release: ReleaseConfig) -> Iterator[Problem]:
    """Lock files that no file of the release's folder matches."""
    patterns = release.build.key if release.build else ()
    for index, pattern in enumerate(patterns):
        if next(Path(str(release.directory)).glob(pattern), None) is None:
            text = f"key: nothing in '{release.directory}' matches {pattern}"
            yield loaded.problem((*path, index), text, "a lock file, as package-lock.json")


def _keys(loaded: Loaded) -> Iterator[Problem]:
    written = to_data(loaded.tree)["hosts"] if loaded.tree else {}
    for pattern, settings in written.items():
        key = settings.get("key") if settings else None
        if key and not os.path.isfile(os.path.expanduser(key)):
            text = f"key: '{key}' is not a file on this machine"
            yield loaded.problem(("hosts", pattern, "key"), text)
