"""Every exit code there is. An unknown one always means failure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ExitCode(IntEnum):
    """What a command ends with."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REFUSED = 3
    RESTORED = 4
    MIXED = 5
    LOCK_HELD = 6
    PAUSED = 7
    PENDING = 10
    INTERRUPTED = 130


MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.DONE: "done, or nothing to do; never after a rollback",
        ExitCode.BUG: "a bug in gapless, or its journal cannot be read or written",
        ExitCode.USAGE: "the command line or gapless.yaml is wrong",
        ExitCode.REFUSED: "refused before any change: a gate, a stale plan, a sick host",
        ExitCode.RESTORED: "failed; the old version is restored and checked",
        ExitCode.MIXED: "failed; versions are mixed or not restored: a person is needed",
        ExitCode.LOCK_HELD: "another rollout owns the service",
        ExitCode.PAUSED: "paused; waits for promote or abort",
        ExitCode.PENDING: "plan --exit-code: there is something to do",
        ExitCode.INTERRUPTED: "interrupted; the state is recorded, resume or abort goes on",
    }
)
"""In one line each, for ``gapless explain exit-codes`` and the reference."""
