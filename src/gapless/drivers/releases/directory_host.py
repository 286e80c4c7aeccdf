"""Commands on a host for directory releases, and what their failures mean."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.transports.base import Transport
from gapless.errors import ActionFailed, GaplessError, HostFault
from gapless.model import Command, Completed

QUICK = 30.0
LONG = 3600.0
"""Seconds a whole tree may take to be copied, removed or given to another owner."""
NO_PROGRAM = 127
_FULL = ("No space left on device", "Disk quota exceeded")


async def run(transport: Transport, *argv: str, timeout: float = QUICK) -> Completed:
    """Run a command and give its answer, whatever it is; raises when it did not end in time."""
    done = await transport.run(Command(argv, timeout=timeout))
    if done.timed_out:
        raise _failed(transport, done, f"{argv[0]} did not end within {timeout:g} s")
    return done


async def do(
    transport: Transport, *argv: str, timeout: float = QUICK, fine: tuple[int, ...] = (0,)
) -> Completed:
    """Run a command that has to succeed."""
    done = await run(transport, *argv, timeout=timeout)
    if done.status not in fine:
        raise _failed(transport, done, f"{argv[0]} ended with status {done.status}")
    return done


async def target_of(transport: Transport, link: str) -> str:
    """Where a link points to; "" where there is none. One that is there and could not be read is an
    error: it must not look like a host that never had a release."""
    asked = await do(transport, "readlink", "--", link, fine=(0, 1))
    if not asked.ok and (await do(transport, "test", "-L", link, fine=(0, 1))).ok:
        raise _failed(transport, asked, f"{link} is there and cannot be read")
    return asked.stdout.removesuffix("\n")


async def is_folder(transport: Transport, path: str) -> bool:
    """Whether there is a folder (links are followed)."""
    return (await do(transport, "test", "-d", path, fine=(0, 1))).ok


async def read_note(transport: Transport, path: str) -> ReleaseRef | None:
    """The version a note tells of, None when there is no note."""
    content = await transport.get(path)
    if content is None:
        return None
    try:
        known = ReleaseRef.from_json(json.loads(content))
        if PurePosixPath(known.name).name != known.name:
            raise ValueError("the name is not that of a folder")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostFault(
            f"{path} does not tell which release this is",
            where=transport.host,
            evidence=content[:200].decode(errors="replace"),
            next=f"look at {path}; without it the content there counts as not brought by gapless",
        ) from error
    return known


async def write_note(transport: Transport, path: str, ref: ReleaseRef) -> None:
    """Tell what a version is."""
    content = json.dumps(ref.to_json(), sort_keys=True) + "\n"
    await transport.put(content.encode(), path, mode=0o644)


def explained(error: HostFault, place: str) -> HostFault:
    """The same fault, with the reason in front when it is a full disk."""
    if not is_full(f"{error.what}\n{error.evidence}"):
        return error
    return HostFault(
        "the disk is full",
        where=error.where,
        evidence=error.evidence or error.what,
        next=f"df -h {place}",
    )


def is_full(text: str) -> bool:
    """Whether a complaint is about space."""
    return any(words in text for words in _FULL)


def _failed(transport: Transport, done: Completed, what: str) -> GaplessError:
    evidence = f"$ {Command(done.argv)}\n{done.evidence()}".rstrip()
    if is_full(evidence):
        place = PurePosixPath(done.argv[-1].rstrip("/")).parent
        return ActionFailed(
            "the disk is full", where=transport.host, evidence=evidence, next=f"df -h {place}"
        )
    return ActionFailed(what, where=transport.host, evidence=evidence)
