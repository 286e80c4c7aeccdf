"""The command line."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.supervisor.pidwatch.stop import USAGE, Stop

WAIT = 5.0
"""Seconds until another main process must be named, when one ended and others live."""


@dataclass(frozen=True)
class Wanted:
    """What it asks for."""

    pidfile: str
    command: list[str]
    wait: float = WAIT
    quiet: bool = False


def parsed(words: list[str]) -> Wanted:
    """``--pidfile FILE [--wait SECONDS] [--quiet] -- COMMAND …``."""
    pidfile, wait, quiet = "", WAIT, False
    rest = iter(words)
    try:
        for word in rest:
            if word == "--pidfile":
                pidfile = next(rest)
            elif word == "--wait":
                wait = float(next(rest))
            elif word == "--quiet":
                quiet = True
            elif word == "--":
                break
            else:
                raise ValueError(word)
    except (StopIteration, ValueError) as error:
        raise Stop(USAGE, f"pidwatch: not understood: {error or words[-1]}") from error
    command = list(rest)
    if not pidfile or not command:
        raise Stop(USAGE, f"pidwatch needs a {'command' if pidfile else 'pidfile'}")
    return Wanted(pidfile, command, wait, quiet)
