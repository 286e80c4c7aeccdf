"""A process that can be told from a later one with the same pid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessId:
    """A pid with the time the process started, in clock ticks since the machine's boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that runs as `pid` now, or None; one that only waits to be reaped is none."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name, in parentheses, may hold anything; behind it come the state and, 19 fields
        # further on, the start time.
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))


def is_first_of_namespace(pid: int) -> bool:
    """Whether `pid` is PID 1 of a pid namespace below ours: the init of a host."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = next((line.split()[1:] for line in status.splitlines() if line[:5] == "NSpid"), [])
    return len(numbers) > 1 and numbers[-1] == "1"


def boot_id() -> str:
    """Names this boot of the machine: records of another boot are about processes long gone."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
