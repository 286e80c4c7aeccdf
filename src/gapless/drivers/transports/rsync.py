"""The rsync command line that makes a folder equal to another, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gapless.errors import HostFault, TransportError

_STALLED = 60
_SENT = re.compile(r"^Total bytes sent: ([\d,.]+)", re.MULTILINE)
_NO_RSYNC = re.compile(r"rsync: (command )?not found|rsync: program not found|exec: rsync")


def arguments(source: str, target: str, exclude: Sequence[str], link_from: str) -> tuple[str, ...]:
    """Archive without owners: files belong to who stages them, not to a number from elsewhere.

    Secluded arguments: paths travel inside the protocol, so no shell ever sees them.
    """
    return (
        *("rsync", "--archive", "--no-owner", "--no-group", "--delete", "--stats"),
        *("--secluded-args", f"--timeout={_STALLED}"),
        *(f"--exclude={pattern}" for pattern in exclude),
        *((f"--link-dest={link_from}",) if link_from else ()),
        *("--", source.rstrip("/") + "/", target.rstrip("/") + "/"),
    )


def bytes_sent(stats: str) -> int:
    """The number ``--stats`` tells."""
    found = _SENT.search(stats)
    return int(re.sub(r"\D", "", found.group(1))) if found else 0


def failure(host: str, status: int, stderr: str) -> TransportError:
    """Why rsync failed, in its words."""
    evidence = "\n".join(stderr.strip().splitlines()[-5:])
    if status == 127 or _NO_RSYNC.search(stderr):
        what = "rsync is needed on both sides and is missing on one"
        return HostFault(what, where=host, evidence=evidence, next="apt-get install rsync")
    return HostFault(f"rsync failed (exit {status})", where=host, evidence=evidence)
