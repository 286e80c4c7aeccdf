"""Configuration files on a host: looked at, kept, staged, and the commands that move them.

1. The new file waits in the folder it belongs to, under a hidden name: it is known before anything
   stops that the file system takes it, and its validator may read it where it will lie.
2. It becomes live by rename(2) of a copy, so that doing it twice is doing it once. A symbolic link
   in its place is replaced by the file; what the link points to is left alone.
3. What was there is copied away before, with mode, owner and times, links as links. Going back is
   the same rename; where there was nothing the file goes, and the folders that came with it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gapless.drivers.config_files.base import (
    ABSENT,
    FILE,
    LIMIT,
    LINK,
    OTHER,
    LiveFile,
    RenderedFile,
    beside,
    staged,
)
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed, HostFault
from gapless.model import Command, Completed

_FIELD = re.compile(r"\{(file|folder)\}")
_TYPES = {"f": FILE, "l": LINK}
_SELF = "/proc/self/"
"""Belongs to who looks, who is also the one that writes."""
_MOVE = 30.0
"""Seconds one small file may take to be copied, renamed or removed."""


async def look(transport: Transport, owners: Mapping[str, str]) -> tuple[LiveFile, ...]:
    """What is at these paths. ``owners``: path to the owner that is asked for. Where none is, it is
    to be the one who writes; a group that nobody asked for makes no difference."""
    above = dict.fromkeys(folder for path in owners for folder in _folders(path))
    argv = ("find", _SELF, *above, *owners, "-maxdepth", "0", "-printf", r"%p\t%y\t%m\t%u:%g\t%l\n")
    done = await transport.run(Command(argv, env={"LC_ALL": "C"}))
    if "Permission denied" in done.stderr:  # else its status only says that something is missing
        raise HostFault(
            "configuration files cannot be looked at",
            where=transport.host,
            evidence=done.evidence(),
        )
    seen = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
    files = [path for path in owners if path in seen and seen[path][0] == "f"]
    digests = await transport.digest(files) if files else {}
    writer = seen[_SELF][2].partition(":")[0] if _SELF in seen else ""
    return tuple(_live(path, owners[path], writer, seen, digests) for path in owners)


def _live(
    path: str,
    asked: str,
    writer: str,
    seen: Mapping[str, Sequence[str]],
    digests: Mapping[str, str],
) -> LiveFile:
    if path not in seen:
        missing = tuple(folder for folder in _folders(path) if folder not in seen)
        return LiveFile(path, ABSENT, missing=missing)
    kind, mode, owned, target = seen[path]
    if kind == "l":
        return LiveFile(path, LINK, target=target)
    if kind != "f":
        return LiveFile(path, OTHER)
    owner = _as_asked(owned, asked, writer)
    return LiveFile(path, FILE, int(mode, 8), owner, digests.get(path, ""), writer=writer)


def _as_asked(owned: str, asked: str, writer: str) -> str:
    """The owner that was found, as far as the one that was asked for goes."""
    (user, _, group), (wanted, both, _) = owned.partition(":"), asked.partition(":")
    told = user if wanted or user != (writer or user) else ""
    return f"{told}:{group}" if both else told


def _folders(path: str) -> list[str]:
    """Those above it, the outermost first, without the root."""
    parts = posixpath.dirname(path).split("/")[1:]
    return ["/" + "/".join(parts[:end]) for end in range(1, len(parts) + 1) if parts[0]]


async def content(transport: Transport, path: str) -> bytes | None:
    """A live file to be compared; None where it cannot be read, or is too large for that."""
    try:
        return await transport.get(path, limit=LIMIT)
    except HostFault:
        return None


async def keep(transport: Transport, files: Iterable[LiveFile], folder: str) -> None:
    """Copy what is there below ``folder``. Raises HostFault, also where there is a folder."""
    for file in files:
        if file.kind == OTHER:
            raise HostFault(f"{file.path} is neither a file nor a link", where=transport.host)
        if file.kind != ABSENT:
            copy = folder + file.path
            await _run(transport, "mkdir", "-p", "-m", "0700", "--", posixpath.dirname(copy))
            await _run(transport, "cp", "-aT", "--", file.path, copy)
            await transport.run(Command(("sync", "--", copy)))


async def stage(transport: Transport, file: RenderedFile) -> None:
    """Put it beside its place. Raises HostFault."""
    await _run(transport, "mkdir", "-p", "--", posixpath.dirname(file.path))
    await transport.put(file.content, staged(file.path), mode=file.mode, owner=file.owner)


async def validate(
    transport: Transport, file: RenderedFile, folder: str, limit: float
) -> Completed | None:
    """What its validator says of the staged file; None where there is none to ask. ``folder``: of
    the staged release, "" without one."""
    if not file.validate:
        return None
    values = {"{file}": staged(file.path), "{folder}": folder}
    argv = tuple(_FIELD.sub(lambda field: values[field[0]], word) for word in file.validate)
    return await transport.run(Command(argv, timeout=limit))


def refused(host: str, file: RenderedFile, said: Completed, told: str) -> ActionFailed:
    """The validator's own words: ``told``, without secrets."""
    how = "did not end in time" if said.timed_out else f"ended with status {said.status}"
    return ActionFailed(
        f"{file.path} was refused: {' '.join(said.argv)} {how}",
        where=host,
        evidence=told,
        next=f"look at {file.source}",
    )


def activation(paths: Iterable[str]) -> tuple[Command, ...]:
    """Commands that make staged files live; the staged ones stay for a second try."""
    return tuple(command for path in paths for command in _place(staged(path), path))


def restoration(
    stored: str, files: Iterable[Mapping[str, Any]], same: Collection[str] = ()
) -> tuple[Command, ...]:
    """Commands that put back what was kept below ``stored``, and remove what came since; paths that
    are the ``same`` as then are only tidied up."""
    return tuple(command for file in files for command in _back(stored, file, same))


def _back(stored: str, file: Mapping[str, Any], same: Collection[str]) -> Iterator[Command]:
    path = str(file["path"])
    # what cannot be removed is hidden, and written anew by the next deploy
    yield _command("rm", "-f", "--", staged(path), beside(path), check=False)
    if file["kind"] == ABSENT:
        yield _command("rm", "-f", "--", path)
        for folder in reversed(file.get("missing", ())):
            # somebody may have put something else there since
            yield _command("rmdir", "--", folder, check=False)
    elif path not in same:
        yield from _place(stored + path, path)


def _place(source: str, path: str) -> tuple[Command, ...]:
    copy = beside(path)
    return (
        _command("cp", "-aT", "--", source, copy),
        _command("sync", "--", copy, check=False),  # a link may point to nothing
        _command("mv", "-fT", "--", copy, path),
        _command("sync", "--", posixpath.dirname(path), check=False),
    )


async def forget_staged(
    transport: Transport, paths: Iterable[str], made: Sequence[str] = ()
) -> None:
    """Remove what was staged for these paths, and folders that were made for that alone."""
    waiting = [name for path in paths for name in (staged(path), beside(path))]
    if waiting:
        await transport.run(_command("rm", "-f", "--", *waiting))
    for folder in sorted(frozenset(made), reverse=True):
        await transport.run(_command("rmdir", "--", folder))


def _command(*argv: str, check: bool = True) -> Command:
    return Command(argv, timeout=_MOVE, check=check)


async def _run(transport: Transport, *argv: str) -> Completed:
    done = await transport.run(_command(*argv))
    if not done.ok:
        raise HostFault(f"{argv[0]} failed", where=transport.host, evidence=done.evidence())
    return done
