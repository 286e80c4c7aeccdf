"""Secrets: read where a reference points, at the moment of use, and shown to nobody.

``env:NAME`` is a variable of gapless's own environment, ``file:PATH`` a file on the machine it
runs on, ``command:ARGV`` what a program prints there. One newline at the end is dropped. Errors
name the reference, never a value.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from gapless.clock import within
from gapless.errors import UsageError

DEADLINE = 15.0
"""Seconds a reference may take to be read."""

_LIMIT = 64 * 1024


class SecretValue:
    """A secret in memory; printing, formatting and pickling it show nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not stored")


async def resolve_secret(reference: str, *, deadline: float = DEADLINE) -> SecretValue:
    """Read one secret; UsageError names the reference and why it cannot be read."""
    try:
        async with within(deadline):
            return SecretValue(await _read(reference))
    except TimeoutError:
        raise _unreadable(reference, f"no answer within {deadline:g} s") from None


async def resolve_secrets(
    references: Mapping[str, str], *, deadline: float = DEADLINE
) -> dict[str, str]:
    """Read several at the same time, revealed: give them on at once, keep them nowhere."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(resolve_secret(reference, deadline=deadline))
                for name, reference in references.items()
            }
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return {name: task.result().reveal() for name, task in tasks.items()}


async def _read(reference: str) -> str:
    kind, _, rest = reference.partition(":")
    if kind == "env":
        return _variable(reference, rest.strip())
    if kind == "file":
        return await asyncio.to_thread(_file, reference, rest.strip())
    if kind == "command":
        return await _command(reference, shlex.split(rest))
    raise UsageError("a secret reference begins with env:, file: or command:")


def _variable(reference: str, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise _unreadable(reference, "the variable is not set")
    return value


def _file(reference: str, path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            raw = file.read(_LIMIT + 1)
    except OSError as error:
        raise _unreadable(reference, error.strerror or "it cannot be opened") from None
    except (RuntimeError, ValueError):  # the home of nobody; a NUL in the path
        raise _unreadable(reference, "there is no such path") from None
    return _text(reference, raw)


async def _command(reference: str, argv: list[str]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):
        raise _unreadable(reference, "the program cannot be started") from None
    try:
        raw, _ = await process.communicate()
    finally:
        await _end(process)
    if process.returncode:
        raise _unreadable(reference, f"the program ended with status {process.returncode}")
    return _text(reference, raw)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of it, with everything it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _text(reference: str, raw: bytes) -> str:
    if len(raw) > _LIMIT:
        raise _unreadable(reference, f"it is larger than {_LIMIT // 1024} KiB")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _unreadable(reference, "it is not text") from None
    if not text.strip():
        raise _unreadable(reference, "it is empty")
    return text.removesuffix("\n").removesuffix("\r")


def _unreadable(reference: str, why: str) -> UsageError:
    kind, _, place = reference.partition(":")
    return UsageError(
        f"the secret {reference} cannot be read: {why}", next=f"{_NEXT[kind]}: {place.strip()}"
    )


_NEXT = {
    "env": "set it where gapless runs",
    "file": "look at it where gapless runs",
    "command": "run it by hand where gapless runs",
}
"""By kind of reference, what to do about one that is not there."""
