"""The power side of a host: systemd-nspawn over its disk, in its own cgroup."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress
from pathlib import Path

from .cgroup import Cgroup
from .disk import Disk
from .process import ProcessId, is_first_of_namespace
from .shell import LabError, sh

# nspawn exits 133 when the host asked for a reboot.
_LAUNCHER = """\
set -e
{enter_launcher}
while :; do
  code=0
  ({enter_host} && exec {nspawn}) || code=$?
  [ $code -eq 133 ] || exit 0
done </dev/null >>{console} 2>&1 &
"""

_NSPAWN = Path("/run/systemd/nspawn")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_NSPAWN_LOCK": "0",  # a killed nspawn would leave its lock files behind
}


class Machine:
    """A container that boots systemd. It can be started and stopped from any process.

    A launcher starts it, and again whenever it reboots. It first enters a cgroup of the unified
    hierarchy: otherwise all hosts share one /payload cgroup, and stopping a unit on one waits for
    the same-named unit of the others.
    """

    def __init__(self, name: str, disk: Disk, cgroup: Cgroup, launcher: Cgroup) -> None:
        self.cgroup = cgroup
        self._name = name
        self._disk = disk
        self._launcher = launcher

    def start(self) -> None:
        """Power on; returns at once. Raises LabError if it runs already."""
        if self.is_running():
            raise LabError(f"{self._name} is running")
        self.cgroup.create()
        self._launcher.create()
        # A session of its own: a Ctrl-C in the terminal is not for the hosts.
        sh(["setsid", "sh", "-c", self._script()], env=_ENVIRONMENT)

    def is_running(self) -> bool:
        """Whether it is powered on; for an instant of a reboot nothing of it lives, yet it is."""
        return self._launcher.populated()

    def init(self) -> ProcessId | None:
        """Its PID 1 as the machine sees it; another one after each reboot."""
        for pid in self.cgroup.pids():
            if is_first_of_namespace(pid):
                return ProcessId.of(pid)
        return None

    def power_off(self, timeout: float) -> None:
        """Shut down in order, and wait for the end of it (`timeout` in seconds).

        Raises LabError if it does not run or does not end in time.
        """
        init = self.init()
        if init is None:
            raise LabError(f"{self._name} does not run")
        os.kill(init.pid, signal.SIGRTMIN + 4)
        self._launcher.wait_empty(timeout)

    def power_cut(self) -> None:
        """Kill everything at once; the disk stays as it was at that moment."""
        self.cgroup.kill()
        # A host that was just rebooting can be up again by now: its launcher tells.
        while self._launcher.populated():
            time.sleep(0.005)
            self.cgroup.kill()

    def _script(self) -> str:
        return _LAUNCHER.format(
            enter_launcher=self._launcher.entering(),
            enter_host=self.cgroup.entering(),
            nspawn=shlex.join(self._nspawn()),
            console=self._disk.console_log,
        )

    def _nspawn(self) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
            *("--directory", str(self._disk.root), f"--bind={self._disk.srv}:/srv"),
            *("--machine", machine_name(self.cgroup), "--hostname", self._name),
            *("--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off"),
        ]


def machine_name(cgroup: Cgroup) -> str:
    """What nspawn calls the host that runs in `cgroup`."""
    return cgroup.name.replace("/", "-")


def forget(cgroup: Cgroup) -> None:
    """Remove what nspawn keeps of that host under /run, once it is off for good."""
    with suppress(FileNotFoundError):
        (_NSPAWN / "propagate" / machine_name(cgroup)).rmdir()
