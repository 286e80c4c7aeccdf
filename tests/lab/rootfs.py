"""The root file system all hosts share read-only: built once, cached by what is in it."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import debian, paths
from .locking import locked
from .shell import sh

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",  # logins get a session scope, as on any real server
    "openssh-server",
    "python3",
    "iproute2",
    "procps",
    "curl",
    "sudo",
    "rsync",
    "git",
    "haproxy",
    "patroni",
    "postgresql",
)

# user -> the lines it gets in sudoers
USERS = {"deploy": "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n", "plain": ""}

# Housekeeping that would start at some odd moment of a test, and consoles nobody sits at.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "patroni.service",
    "postgresql.service",  # the package makes a server of its own
    "console-getty.service",
    "getty.target",
    "ssh.socket",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
)

SSHD = """\
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 1000
MaxSessions 1000
"""

JOURNALD = """\
[Journal]
Storage=persistent
SystemMaxUse=64M
"""

# A part of the cache key: raise it whenever the steps below change what they leave behind.
RECIPE = 1


def ensure_rootfs(extra_packages: Sequence[str] = ()) -> Path:
    """The cached root file system with PACKAGES and `extra_packages`; built first if need be.

    Building takes about a minute. Raises LabError if it fails; nothing half-built is ever found
    under the final name, and two builders wait for each other.
    """
    packages = sorted({*PACKAGES, *extra_packages})
    suite = debian.codename()
    root = paths.cache() / f"rootfs-{_key(suite, packages)}"
    if root.is_dir():
        return root
    with locked(paths.cache() / "build.lock") as lock:
        if not root.is_dir():
            _remove_abandoned_builds()
            building = root.with_name(root.name + ".building")
            _bootstrap(building, suite, packages, lock)
            _configure(building)
            building.rename(root)
    return root


def _key(suite: str, packages: Sequence[str]) -> str:
    settings = (suite, platform.machine(), *packages, SSHD, JOURNALD, *MASKED, *USERS, str(RECIPE))
    return hashlib.sha256("\n".join(settings).encode()).hexdigest()[:12]


def _remove_abandoned_builds() -> None:
    for left in paths.cache().glob("rootfs-*.building"):
        shutil.rmtree(left)


def _bootstrap(root: Path, suite: str, packages: Sequence[str], lock: int) -> None:
    # debootstrap mounts a /proc in there: in a mount namespace of its own, a killed build leaves
    # none behind. It keeps the lock, so that it still counts as building if we are killed.
    sh(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *("debootstrap", "--variant=minbase", f"--include={','.join(packages)}"),
            *(suite, str(root), debian.mirror(suite)),
        ],
        timeout=1800,
        pass_fds=[lock],
    )


def _configure(root: Path) -> None:
    _start_nothing_but_ssh(root)
    _add_users(root)
    _write(root / "etc/ssh/sshd_config.d/lab.conf", SSHD)
    _write(root / "etc/systemd/journald.conf.d/lab.conf", JOURNALD)
    (root / "var/log/journal").mkdir(parents=True, exist_ok=True)
    for host_key in root.glob("etc/ssh/ssh_host_*"):
        host_key.unlink()
    for archive in root.glob("var/cache/apt/archives/*.deb"):
        archive.unlink()


def _start_nothing_but_ssh(root: Path) -> None:
    # All hosts share the machine's ports, so a packaged service may not start on its own.
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    for unit in wanted.iterdir():
        unit.unlink()
    sh(["systemctl", f"--root={root}", "enable", "ssh.service"])
    sh(["systemctl", f"--root={root}", "mask", *MASKED])


def _add_users(root: Path) -> None:
    for user, sudoers in USERS.items():
        sh(["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", user])
        # No password, yet not "locked": sshd turns locked accounts away.
        sh(["chroot", str(root), "usermod", "--password", "*", user])
        if sudoers:
            _write(root / "etc/sudoers.d" / user, sudoers)
            (root / "etc/sudoers.d" / user).chmod(0o440)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
