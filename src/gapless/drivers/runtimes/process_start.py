"""Starting a supervisor that outlives whoever started it, and waiting until its program serves.

1. Where systemd runs and we are root: a transient unit. systemd starts it anew when it dies, keeps
   its listening sockets meanwhile, and has its output in the journal.
2. Elsewhere: the leader of a session of its own, whose output goes to a file.

Either way the command ends with 0 when the program serves; else nothing is left, and the last lines
of this start are on its standard error. The mark by which a host knows what belongs to an action is
taken off: the supervisor belongs to none.
"""

from __future__ import annotations

import re

from gapless.drivers.runtimes.base import Refusal
from gapless.drivers.transports.base import HostFacts
from gapless.model import Command, Completed

_MARK = "gapless-start"
"""What the command calls itself."""
_WHY = re.compile(r"^gapless run \S+: (?:generation \d+|the start|the flip) failed: (.*)$", re.M)
_REFUSED = re.compile(r"^✗  (.+?) +GL-\d+(?:\n   answer +(.*))?$", re.M)
_UNIT = """\
unit=$1 limit=$2 gapless=$3 file=$4 name=$5 since=$(date +%s)
systemd-run --quiet --collect --no-ask-password --unit "$unit" \
  --description "$name, supervised by gapless" \
  -p Type=notify -p NotifyAccess=all -p KillMode=mixed \
  -p TimeoutStartSec="$limit" -p TimeoutStopSec="$limit" \
  -p Restart=on-failure -p RestartSec=200ms -p FileDescriptorStoreMax=64 \
  -- "$gapless" run -c "$file" --name "$name" && exit
code=$?
journalctl _SYSTEMD_UNIT="$unit" _TRANSPORT=stdout --since "@$since" -n 40 -o cat --no-pager -q >&2
systemctl stop "$unit" 2>/dev/null
systemctl reset-failed "$unit" 2>/dev/null
exit $code
"""
_SESSION = """\
log=$1 gapless=$2 file=$3 name=$4
(umask 077 && mkdir -p -- "$(dirname -- "$log")" && : >>"$log") || exit
before=$(wc -c <"$log")
unset GAPLESS_RUN
setsid "$gapless" run -c "$file" --name "$name" </dev/null >>"$log" 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null; do
  "$gapless" run wait --pid $pid >/dev/null 2>&1
  case $? in
    0) exit 0 ;;
    3) sleep 0.05 ;;
    *) wait $pid ;;
  esac
done
tail -c "+$((before + 1))" "$log" | tail -n 40 >&2
exit 1
"""


def unit_of(name: str) -> str:
    """The transient unit of a supervisor."""
    return f"gapless-run-{name}.service"


def in_a_unit(host: HostFacts) -> bool:
    """Whether it is started as one."""
    return bool(host.systemd) and host.privileged


def as_unit(gapless: str, file: str, name: str, limit: float) -> Command:
    """Start it as a transient unit."""
    seconds = f"{limit:.0f}s"
    argv = ("sh", "-c", _UNIT, _MARK, unit_of(name), seconds, gapless, file, name)
    return Command(argv, timeout=limit)


def as_session(gapless: str, file: str, name: str, log: str, limit: float) -> Command:
    """Start it as the leader of a session of its own."""
    argv = ("sh", "-c", _SESSION, _MARK, log, gapless, file, name)
    return Command(argv, timeout=limit)


def failure(last: Completed) -> Refusal | None:
    """Why a start came to nothing: the supervisor's last word, and what the program printed. None
    when the command was not one of these, or did not end by itself."""
    if last.timed_out or _MARK not in last.argv:
        return None
    if refused := _REFUSED.search(last.stderr):
        what, evidence = refused[1], refused[2] or ""
    else:
        told = _WHY.findall(last.stderr) or ["gapless run ended"]
        what, _, evidence = told[-1].partition(". ")
    return Refusal(f"not started: {what}", evidence, last.stderr)
