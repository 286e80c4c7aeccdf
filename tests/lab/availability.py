"""Whether the lab can run here, asked before anything is tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .cgroup import Cgroup, unified_hierarchy
from .debian import missing_packages, which
from .shell import LabError, sh


def lab_unavailable_reason() -> str | None:
    """Why the lab cannot run on this machine, in one line; None if it can.

    GAPLESS_LAB=off is a reason too. A missing package is none where apt can install it.
    """
    checks: tuple[Callable[[], str | None], ...] = (
        _switched_off,
        _not_linux,
        _not_root,
        _no_mounts,
        _no_overlay,
        _no_cgroups,
        _no_packages,
    )
    return next((reason for reason in (check() for check in checks) if reason), None)


def lab_is_required() -> bool:
    """Whether a lab test that cannot run is a failure (GAPLESS_LAB=required), as in CI."""
    return os.environ.get("GAPLESS_LAB") == "required"


def _switched_off() -> str | None:
    return "GAPLESS_LAB=off" if os.environ.get("GAPLESS_LAB") == "off" else None


def _not_linux() -> str | None:
    return None if sys.platform == "linux" else "the lab needs Linux"


def _not_root() -> str | None:
    return None if os.geteuid() == 0 else "the lab needs root (mounts, cgroups, firewall)"


def _no_mounts() -> str | None:
    try:
        sh(["unshare", "--mount", "true"])
    except LabError as error:
        return f"no right to mount here: {error}"
    return None


def _no_overlay() -> str | None:
    known = Path("/proc/filesystems")
    if "\toverlay\n" not in known.read_text():
        with suppress(LabError):
            sh(["modprobe", "overlay"])
    return None if "\toverlay\n" in known.read_text() else "the kernel has no overlay file system"


def _no_cgroups() -> str | None:
    if unified_hierarchy() is None:
        return "cgroup v2 is not mounted"
    probe = Cgroup(f"gapless-lab-probe-{os.getpid()}")
    try:
        probe.create()
    except OSError as error:
        return f"no cgroup can be made here: {error}"
    try:
        able = (probe.path / "cgroup.kill").exists()
    finally:
        probe.remove()
    return None if able else "the kernel is too old for cgroup.kill (before 5.14)"


def _no_packages() -> str | None:
    missing = missing_packages()
    if missing and which("apt-get") is None:
        return f"not installed: {', '.join(missing)}"
    return None
