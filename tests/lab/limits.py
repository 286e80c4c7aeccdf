"""The one setting of the machine that a lab raises."""

from __future__ import annotations

from pathlib import Path

_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_ENOUGH = 2048  # ten for each host, of which all belong to the machine's root


def raise_inotify_limit() -> None:
    """Let there be enough inotify instances; with the usual 128 the tenth host or so is degraded.

    It stays raised until the machine is rebooted: another lab may rely on it when ours ends.
    """
    if int(_INOTIFY_INSTANCES.read_text()) < _ENOUGH:
        _INOTIFY_INSTANCES.write_text(str(_ENOUGH))
