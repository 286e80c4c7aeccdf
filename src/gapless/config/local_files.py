"""Files and folders of this machine that a configuration names and that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gapless.config.source import Loaded
from gapless.config.tree import locate, to_data
from gapless.errors import Problem


def missing_files(loaded: Loaded) -> Iterator[Problem]:
    """What a deploy would look for in vain. Only ``gapless check`` minds: a release may be built
    later, and nothing but deploy needs it."""
    yield from _keys(loaded)
    for name, service in loaded.project.services.items():
        path = ("services", name)
        if service.release and service.release.directory:
            directory = Path(service.release.directory)
            if not directory.is_dir():
                what = "is not a directory" if directory.exists() else "does not exist"
                place = (*path, "release", "directory")
                yield _problem(loaded, place, f"directory: '{directory}' {what}", "build it first?")
        if service.systemd and service.systemd.file and not Path(service.systemd.file).is_file():
            text = f"file: '{service.systemd.file}' is not a file on this machine"
            yield _problem(loaded, (*path, "systemd", "file"), text, "")


def _keys(loaded: Loaded) -> Iterator[Problem]:
    written = to_data(loaded.tree)["hosts"] if loaded.tree else {}
    for pattern, settings in written.items():
        key = settings.get("key") if settings else None
        if key and not Path(key).expanduser().is_file():
            text = f"key: '{key}' is not a file on this machine"
            yield _problem(loaded, ("hosts", pattern, "key"), text, "")


def _problem(loaded: Loaded, path: tuple[str, ...], text: str, hint: str) -> Problem:
    assert loaded.tree is not None
    _, value, _ = locate(loaded.tree, path)
    return Problem(str(loaded.path), value.line, value.column, text, hint)
