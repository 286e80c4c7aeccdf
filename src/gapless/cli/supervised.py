"""Talking to supervised processes: which one is meant, a question, its answer."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from gapless.cli.exit_codes import ExitCode
from gapless.errors import Refused, UsageError

_HELP = "gapless run --help"
Reply = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target:
    """Which process is meant: by name, by the supervisor's number, or the only one there is."""

    name: str | None
    pid: int | None

    @property
    def named(self) -> bool:
        """Whether one was chosen."""
        return self.name is not None or self.pid is not None

    def resolve(self) -> str | int:
        """Name or number. Raises UsageError when that is not clear, Refused when there is none."""
        if self.name is not None and self.pid is not None:
            raise UsageError("give a name or --pid, not both", next="gapless run status")
        if self.pid is not None:
            return self.pid
        return self.name if self.name is not None else _only_one()


def _only_one() -> str:
    from gapless.cli.unreachable import elsewhere
    from gapless.supervisor import rundir

    names = living()
    if not names:
        raise Refused(f"nothing is supervised in {rundir.base()}", next=elsewhere("") or _HELP)
    if len(names) > 1:
        raise UsageError(
            f"{len(names)} processes are supervised: {', '.join(names)}",
            next="say which: name it, or give --pid",
        )
    return names[0]


def ended() -> dict[str, str]:
    """Names of those that were not told to end and run no more: how they ended."""
    from gapless.supervisor import last_end, rundir

    there = living()
    dead = {name: last_end.recall(rundir.folder(name)) for name in rundir.names()}
    return {name: how for name, how in dead.items() if how and name not in there}


def living() -> list[str]:
    """Names of those that may be there. Raises Refused when that cannot be seen."""
    from gapless.cli.unreachable import unknown
    from gapless.supervisor import rundir

    try:
        return rundir.living()
    except OSError as error:
        raise unknown(error) from None


def complete_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of supervised processes."""
    from gapless.supervisor import rundir

    with suppress(OSError):
        return [CompletionItem(name) for name in rundir.names() if name.startswith(incomplete)]
    return []


def target_option(function: F) -> F:
    """``[NAME]`` and ``--pid``, handed over as ``name`` and ``pid``."""
    with_pid = click.option(
        "--pid", type=click.IntRange(1), help="Of the supervisor: $MAINPID in a unit."
    )(function)
    return click.argument("name", required=False, shell_complete=complete_names)(with_pid)


@contextmanager
def connected(wanted: str | int) -> Iterator[socket.socket]:
    """Its control socket. Raises Refused when there is none, or it cannot be used."""
    from gapless.cli.unreachable import elsewhere, unknown
    from gapless.supervisor import last_end, rundir

    try:
        control = rundir.connect(wanted)
    except LookupError as error:
        name = str(wanted) if isinstance(wanted, str) else ""
        raise Refused(
            str(error.args[0]),
            evidence=last_end.recall(rundir.folder(name)) if name else "",
            next=elsewhere(name) or "gapless run status",
        ) from None
    except OSError as error:
        raise unknown(error) from None
    with control:
        yield control


def ask(wanted: str | int, verb: str, *, wait: bool = True, timeout: float | None = None) -> Reply:
    """Ask and wait for the answer. Raises Refused when nobody is there to be asked; that the
    supervisor ended meanwhile, or is not done in time, is an answer, too."""
    with connected(wanted) as control:
        try:
            return _asked(control, verb, wait=wait, timeout=timeout)
        except TimeoutError:
            return _late(wanted, timeout or 0.0)
        except (OSError, ValueError) as error:
            return _lost(wanted, str(error))


def answering(wanted: str | int) -> Reply | None:
    """Its status, None when it ends meanwhile. Raises Refused when nobody is there, or there is no
    answer: nothing more is to be asked of one that hangs."""
    from gapless.cli.unreachable import hangs
    from gapless.supervisor import rundir

    with connected(wanted) as control:
        try:
            found = _asked(control, "status", timeout=rundir.PATIENCE)
        except TimeoutError:
            raise hangs(wanted, rundir.owner(control)) from None
        except (OSError, ValueError):
            return None
    return found if "state" in found else None


def _asked(
    control: socket.socket, verb: str, *, wait: bool = True, timeout: float | None = None
) -> Reply:
    control.settimeout(timeout)
    control.sendall(json.dumps({"verb": verb, "wait": wait}).encode() + b"\n")
    return _answer(control)


def _answer(control: socket.socket) -> Reply:
    """One line. Raises ValueError when it breaks off."""
    with control.makefile("rb") as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        raise ValueError("the connection was closed without an answer")
    reply = json.loads(line)
    if not isinstance(reply, dict):
        raise ValueError("the answer is not one")
    return reply


def _late(wanted: str | int, timeout: float) -> Reply:
    return _no_answer(
        ExitCode.PAUSED,
        f"not done after {timeout:g} s; it goes on",
        "--timeout is of the waiting alone",
        f"gapless run wait {spelled_target(wanted)}",
    )


def _lost(wanted: str | int, reason: str) -> Reply:
    return _no_answer(
        ExitCode.MIXED,
        "the supervisor ended before it answered, and its program with it",
        reason,
        f"gapless run status {spelled_target(wanted)}",
    )


def _no_answer(code: ExitCode, what: str, evidence: str, following: str) -> Reply:
    return {
        "ok": False,
        "code": int(code),
        "what": what,
        "evidence": evidence,
        "log": [],
        "log_source": "",
        "pid": 0,
        "generation": 0,
        "seconds": {},
        "next": following,
    }


def spelled_target(wanted: str | int) -> str:
    """As it is written on a command line."""
    return wanted if isinstance(wanted, str) else f"--pid {wanted}"


def status_of(wanted: str | int, timeout: float = 5.0) -> Reply | None:
    """What runs there; None when nobody tells."""
    try:
        found = ask(wanted, "status", timeout=timeout)
    except Refused:
        return None
    return found if "state" in found else None


def called(wanted: str | int) -> str:
    """Its name. Raises Refused when it does not answer."""
    status = answering(wanted)
    if isinstance(wanted, str):
        return wanted
    return str(status["name"]) if status else f"process {wanted}"


def gone(control: socket.socket) -> Callable[[float | None], bool]:
    """Wait (so long) until the supervisor at the other end has ended. Its number is asked of the
    kernel while it lives, so that it is never another's."""
    from gapless.supervisor import rundir

    handle = os.pidfd_open(rundir.owner(control))

    def wait(timeout: float | None) -> bool:
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(None if timeout is None else timeout * 1000))
        finally:
            os.close(handle)

    return wait
