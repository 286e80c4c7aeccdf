"""The health check with a cord in it."""

from __future__ import annotations

from gapless.hostside.faults import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CORD = "/.gapless-cord"
"""While this file in a container holds anything the container may be healthy."""
SECOND = 10**9
"""Nanoseconds, in which the engine counts."""
# $0 the cord, $1 how often the check that was there may fail, $2 the seconds between its tries, and
# then that check. Without one nothing is left of the words, and a cord is all that is asked for.
CHECK = """
[ -s "$0" ] || exit 1
left=$1 pause=$2
shift 2
[ $# -gt 0 ] || exit 0
until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || exit 1
    sleep "$pause"
    [ -s "$0" ] || exit 1
done
"""


def corded(config: dict[str, Any], every: float) -> dict[str, Any]:
    """The health check with a cord in it, looked at each ``every`` seconds: one look without it,
    and the container is unhealthy. The check that was there keeps its tries and its time."""
    before = config.get("Healthcheck") or {}
    test = before.get("Test") or []
    if CORD in test:
        return before
    if config["HostConfig"].get("ReadonlyRootfs"):
        raise Fault("read_only: a container that cannot be written to can have no cord")
    own = test[1:] if test[:1] == ["CMD"] else []
    if test[:1] == ["CMD-SHELL"]:
        own = [*(config.get("Shell") or ["/bin/sh", "-c"]), *test[1:]]
    tries = before.get("Retries") or 3
    pause, limit = before.get("Interval") or 30 * SECOND, before.get("Timeout") or 30 * SECOND
    said = [CORD, str(tries), str(-(-pause // SECOND)), *own]
    return {
        **before,
        "Test": ["CMD", "/bin/sh", "-c", CHECK, *said],
        "Interval": int(every * SECOND),
        "Retries": 1,
        "Timeout": tries * limit + (tries - 1) * pause,
    }
