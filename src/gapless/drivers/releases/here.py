"""Programs on the machine gapless runs on, with an environment that is said and nothing more.

Output goes to files without names: what a program leaves behind in the background can hold them
open as long as it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from typing import IO

from gapless.clock import within
from gapless.drivers.secret_forms import secret_forms
from gapless.errors import UsageError
from gapless.hostside import tree
from gapless.hostside.output import Output
from gapless.model import Command, Completed

_CHUNK = 65536


class Here:
    """Runs a Command as a transport does; ``env`` and ``secrets`` are all of its environment."""

    host = ""

    async def run(self, command: Command) -> Completed:
        """Its answer, whatever it is; nothing that it started outlives an early end."""
        clock = asyncio.get_running_loop()
        started, timed_out = clock.time(), False
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            marker = "GAPLESS_RUN=" + os.urandom(8).hex()
            process = await _start(command, marker, out, err)
            try:
                async with within(command.timeout):
                    await process.wait()
            except TimeoutError:
                timed_out = True
            finally:
                await _end(process, marker)
            assert process.returncode is not None
            told, complaint = _kept(out, command), _kept(err, command)
        return Completed(
            command.argv,
            process.returncode,
            _text(told, command, cut=timed_out),
            _text(complaint, command, cut=timed_out),
            clock.time() - started,
            timed_out,
            told.dropped + complaint.dropped,
        )


async def _start(
    command: Command, marker: str, out: IO[bytes], err: IO[bytes]
) -> asyncio.subprocess.Process:
    name, _, value = marker.partition("=")
    try:
        return await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=command.cwd,
            env={**command.env, **command.secrets, name: value},
            start_new_session=True,
        )
    except OSError as error:
        program = command.argv[0]
        raise UsageError(
            f"{program} cannot be run on this machine: {error.strerror}",
            evidence=f"$ {command}",
            next=f"command -v {program}",
        ) from error


async def _end(process: asyncio.subprocess.Process, marker: str) -> None:
    """One that is ended early goes with all it started, wherever that went; one that ended by
    itself leaves none of its group behind."""
    if process.returncode is None:
        await asyncio.to_thread(tree.end, lambda: tree.family(process.pid, marker), _nothing)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _nothing() -> None:
    """The event loop takes the status of what it started; others have parents of their own."""


def _kept(file: IO[bytes], command: Command) -> Output:
    output = Output(command.output_limit)
    file.seek(0)
    while data := file.read(_CHUNK):
        output.feed(data)
    return output


def _text(output: Output, command: Command, *, cut: bool) -> str:
    return output.text(secret_forms(command.secrets.values()), cut=cut)


def own_environment(*names: str) -> dict[str, str]:
    """Variables of ours that are there."""
    return {name: os.environ[name] for name in names if name in os.environ}
