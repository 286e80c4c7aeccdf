"""What is run on the host of an nginx, as data: one look, and one transition of its file.

Both take the lock of the file's folder, so a look never falls into the middle of a transition.
Paths and words are arguments of the scripts and never part of them. They need a POSIX sh,
awk, flock and the GNU core utilities.
"""

from __future__ import annotations

import math

from gapless.config.balancer_nginx import NginxConfig
from gapless.drivers.balancers.steered_file import locked, swap
from gapless.model import Command

NOT_RUNNING, NOT_RELOADED, NOT_SETTLED = 69, 70, 68
"""Statuses: there is no master process; the reload command failed; the workers that were there
before the reload still take new connections."""
_LARGEST = 4 << 20

# "PID START active|leaving" of every worker of the master process whose pid is in file $pid.
_WORKERS = r"""
master=
find_master() {
    master=$(cat -- "$pid" 2>/dev/null) || master=
    case $(tr '\0' ' ' < "/proc/${master:-none}/cmdline" 2>/dev/null) in
        *"master process"*) ;;
        *) echo "no master process has the pid in $pid" >&2; return 1 ;;
    esac
}
children() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v master="$master" '{
        pid = $1
        sub(/^.*\) /, "")
        if ($2 == master) print pid, $20
    }'
}
workers() {
    children | while read -r child start; do
        title=
        { read -r title < "/proc/$child/cmdline" || :; } 2>/dev/null
        case $title in
            *"worker process is shutting down"*) echo "$child $start leaving" ;;
            *"worker process"*) echo "$child $start active" ;;
        esac
    done
}
"""

# $1 the included file, $2 the pid file.
_LOOK = r"""
set -eu
file=$1 pid=$2
cat -- "$file" > /dev/null
find_master || exit 69
read -r line < "/proc/$master/stat"
uptime=$(cat /proc/uptime)
echo "clock $(date +%s.%N) ${uptime%% *} $(getconf CLK_TCK) $(stat -L -c %.9Z -- "$file")"
echo "master $master $(set -- ${line##*) }; echo "${20}")"
workers | sed 's/^/worker /'
echo "file $(base64 -w 0 < "$file")"
"""

# Rest of the script of ``swap``. $1 the pid file, $2 tenths of a second, then the reload command.
_RELOAD = r"""
pid=$1 tenths=$2
shift 2
find_master || exit 69
active() { workers | while read -r child start state; do
    [ "$state" != active ] || echo "$child:$start"
done; }
before=$(active | tr '\n' ' ')
sleep 0.1
"$@" || exit 70
while :; do
    old=0 new=0
    find_master || exit 69
    for worker in $(active); do
        case " $before" in *" $worker "*) old=1 ;; *) new=1 ;; esac
    done
    [ "$old$new" != 01 ] || exit 0
    [ "$tenths" -gt 0 ] || { echo "no new workers after the reload" >&2; exit 68; }
    tenths=$((tenths - 1))
    sleep 0.1
done
"""


def look(config: NginxConfig) -> Command:
    """Its answer is what ``nginx_view.parse`` reads."""
    script = ("sh", "-c", _WORKERS + _LOOK, "sh", config.include, config.pid)
    return Command(locked(config.include, script, "-s"), timeout=20.0, output_limit=_LARGEST)


def change(config: NginxConfig, old: bytes, new: bytes) -> Command:
    """Replace the file, have it tested (put back when it is refused), reload, and wait until only
    workers of the new configuration take connections."""
    return swap(
        config.include,
        old,
        new,
        accept=config.test,
        then=_WORKERS + _RELOAD,
        words=(config.pid, str(math.ceil(config.reload_timeout * 10)), *config.reload),
        timeout=config.reload_timeout + 30.0,
    )
