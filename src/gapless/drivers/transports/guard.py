"""A POSIX shell guard for one-off commands and for hosts without Python.

It runs a command in a session of its own and ends all of it when stdin reaches its end, which it
does when the connection breaks or the controller dies. It is far cheaper to start than Python.
"""

from __future__ import annotations

import math
import secrets
import shlex
from collections.abc import Sequence

# One line without single quotes. $1 is a marker for the command's environment, by which even
# those are found who left the session; $2 a limit in seconds, in case the controller is frozen
# and neither ends it nor hangs up. k sends a signal to all and fails when nobody is left.
# The watcher ignores TERM once it is ending things, so that the end of the command's leader
# (after which the last line would end the watcher) does not stop it half-way.
SCRIPT = (
    "exec 3<&0 </dev/null; m=$1; t=$2; shift 2; "
    "k() { f=1; for e in $(grep -ls GAPLESS_RUN=$m /proc/[0-9]*/environ 2>/dev/null); do "
    "e=${e#/proc/}; kill -$1 ${e%/environ} 2>/dev/null && f=0; done; "
    "kill -$1 -$p 2>/dev/null && f=0; return $f; }; "
    "if command -v setsid >/dev/null; then s=setsid; else s=; fi; "
    'if command -v timeout >/dev/null; then s="$s timeout -k 2 $t"; fi; '
    'GAPLESS_RUN=$m $s "$@" 3<&- & p=$!; '
    '{ while read -r x; do :; done; trap "" TERM; k TERM; k CONT; '
    "for n in 1 2 3 4 5 6 7 8 9 10; do k 0 || exit 0; sleep 0.2 || sleep 1; done; k KILL; } "
    "<&3 3<&- >/dev/null 2>&1 & w=$!; exec 3<&-; "
    "wait $p; r=$?; exec 2>/dev/null; case $r in 124|137) k TERM; k 0 && sleep 1; k KILL;; esac; "
    "kill -TERM -$p; kill $w; wait $w; exit $r"
)
_BACKSTOP = 5
"""Seconds the host waits longer than the controller."""


def guarded(argv: Sequence[str], timeout: float, *, sudo: bool) -> str:
    """The command line for a login shell. The only place where quoting happens."""
    prefix = ("sudo", "-n", "--") if sudo else ()
    marker, limit = secrets.token_hex(8), f"{math.ceil(timeout) + _BACKSTOP}"
    guard = ("/bin/sh", "-c", SCRIPT, "gapless", marker, limit)
    return "exec " + shlex.join((*prefix, *guard, *argv))
