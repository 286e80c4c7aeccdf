"""A unit's files: copied away with everything that is needed to put them back, and put back.

1. All fragments are copied (unit file and drop-ins) below a folder that belongs to one rollout; a
   copy that is there already is never overwritten, it is the better one.
2. A fragment that is a symbolic link is put back as the link it was: its content changes with
   what it points to and is not ours.
3. Putting back is copy and rename, so that a power cut leaves the old or the new file, never half
   of one. A file that did not exist then is removed, if it is in /etc and is this unit's own.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gapless.drivers.runtimes.base import RuntimeSnapshot
from gapless.drivers.runtimes.systemd_handover import is_ours
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import Command, Completed

_OURS = "/etc/systemd/system"


async def keep(
    transport: Transport, paths: Sequence[str], folder: str, facts: Mapping[str, Any]
) -> RuntimeSnapshot:
    """Copy ``paths`` below ``folder`` and read them."""
    kept = await transport.digest([folder + path for path in paths])
    missing = [path for path in paths if not kept[folder + path]]
    await _run(transport, "mkdir", "-p", "-m", "0700", "--", folder)
    if missing:
        await _run(transport, "cp", "-L", "-p", "--parents", "-t", folder, "--", *missing)
    modes = await _modes(transport, [folder + path for path in paths])
    files = {}
    for path in paths:
        content = await transport.get(folder + path)
        if content is None:
            raise HostFault(f"the copy {folder + path} is gone", where=transport.host)
        files[path] = base64.b64encode(content).decode(), modes.get(folder + path, "0644")
    return RuntimeSnapshot(files, folder, {**facts, "links": await links(transport, paths)})


async def complete(transport: Transport, snapshot: RuntimeSnapshot) -> None:
    """Make the copies on the host whole again from the snapshot itself, if somebody cleaned up."""
    there = await transport.digest([snapshot.stored + path for path in snapshot.files])
    for path, (packed, mode) in snapshot.files.items():
        content = base64.b64decode(packed)
        if there[snapshot.stored + path] != hashlib.sha256(content).hexdigest():
            target = snapshot.stored + path
            await _run(transport, "mkdir", "-p", "--", posixpath.dirname(target))
            await transport.put(content, target, mode=int(mode, 8))


async def put_back(
    transport: Transport, unit: str, snapshot: RuntimeSnapshot, now: Sequence[str], timeout: float
) -> tuple[Command, ...]:
    """Commands that make the fragments what they were; none when they are. From an empty snapshot
    nothing follows, least of all that every file there is has come since."""
    if not snapshot.files:
        return ()
    digests = await transport.digest(list(snapshot.files))
    links_now = await links(transport, list(snapshot.files))
    links_then: Mapping[str, str] = snapshot.facts.get("links", {})
    commands: list[Command] = []
    for path, (packed, _) in snapshot.files.items():
        if path in links_then:
            if links_now.get(path) != links_then[path]:
                commands += relink(links_then[path], path, timeout)
        elif path in links_now or digests[path] != _sha256(packed):
            commands += place(snapshot.stored + path, path, timeout)
    return (*commands, *await take_away(transport, unit, snapshot, now, timeout))


async def take_away(
    transport: Transport, unit: str, snapshot: RuntimeSnapshot, now: Sequence[str], timeout: float
) -> tuple[Command, ...]:
    """Commands that move the unit's own files aside that have come since the snapshot."""
    commands: list[Command] = []
    for path in dict.fromkeys((*now, *await _dropins(transport, unit))):
        if path not in snapshot.files and _is_own(path, unit):
            commands += _move_aside(path, f"{snapshot.stored}/removed{path}", timeout)
    return tuple(commands)


def install(staged: Mapping[str, str], timeout: float) -> tuple[Command, ...]:
    """Commands that move staged unit files into place; the staged ones stay for a second try."""
    commands: list[Command] = []
    for source, target in staged.items():
        beside = _beside(target)
        argv = ("install", "-D", "-m", "0644", "--", source, beside)
        commands.append(Command(argv, timeout=timeout))
        commands.append(Command(("mv", "-fT", "--", beside, target), timeout=timeout))
    return tuple(commands)


def place(source: str, target: str, timeout: float) -> tuple[Command, ...]:
    """Commands that copy a file with mode and owner, and rename it into place."""
    beside = _beside(target)
    return (
        Command(("cp", "-aT", "--", source, beside), timeout=timeout),
        Command(("mv", "-fT", "--", beside, target), timeout=timeout),
    )


def relink(pointee: str, path: str, timeout: float) -> tuple[Command, ...]:
    """Commands that make a path the link it was."""
    beside = _beside(path)
    return (
        Command(("ln", "-sfn", "--", pointee, beside), timeout=timeout),
        Command(("mv", "-fT", "--", beside, path), timeout=timeout),
    )


def _move_aside(path: str, target: str, timeout: float) -> tuple[Command, ...]:
    # somebody wrote it, and may want it back
    return (
        Command(("mkdir", "-p", "--", posixpath.dirname(target)), timeout=timeout),
        Command(("mv", "-fT", "--", path, target), timeout=timeout),
    )


async def _dropins(transport: Transport, unit: str) -> list[str]:
    """The unit's own drop-ins as they are on the disk."""
    folder = f"{_OURS}/{unit}.d"
    done = await transport.run(Command(("find", folder, "-maxdepth", "1", "-name", "*.conf")))
    # there may be no such folder
    return [path for path in done.stdout.splitlines() if not is_ours(path)]


async def links(transport: Transport, paths: Sequence[str]) -> dict[str, str]:
    """Those of the paths that are symbolic links, with what they point to."""
    if not paths:
        return {}
    argv = ("find", *paths, "-maxdepth", "0", "-type", "l", "-printf", r"%p\t%l\n")
    done = await transport.run(Command(argv))  # a path that is missing is no link
    return dict(_pairs(done.stdout.splitlines(), "\t"))


async def _modes(transport: Transport, paths: Sequence[str]) -> dict[str, str]:
    if not paths:
        return {}
    done = await _run(transport, "stat", "-c", "%n\t%a", "--", *paths)
    return dict(_pairs(done.stdout.splitlines(), "\t"))


async def _run(transport: Transport, *argv: str) -> Completed:
    done = await transport.run(Command(argv))
    if not done.ok:
        raise HostFault(f"{argv[0]} failed", where=transport.host, evidence=done.evidence())
    return done


def _pairs(lines: Iterable[str], separator: str) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, found, value = line.partition(separator)
        if found:
            yield name, value


def _beside(path: str) -> str:
    # hidden, so that systemd does not take it for a drop-in while it is there
    return f"{posixpath.dirname(path)}/.gapless-{posixpath.basename(path)}"


def _is_own(path: str, unit: str) -> bool:
    folder, name = posixpath.split(path)
    return (folder == _OURS and name == unit) or folder == f"{_OURS}/{unit}.d"


def _sha256(packed: str) -> str:
    return hashlib.sha256(base64.b64decode(packed)).hexdigest()
