"""The files of one host: an overlay over the shared root, and a small disk that can really fill."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from .shell import LabError, sh

_BALLAST = "lab-ballast"


class Disk:
    """`root` as the host sees it, and its /srv.

    Both are mounted on the machine, not by the host, so that they outlive its reboots and power
    cuts. /srv is a tmpfs of a fixed size because an overlay is never full before the machine is.
    """

    def __init__(self, folder: Path, srv_megabytes: int) -> None:
        self._folder = folder
        self.root = folder / "root"
        self.srv = folder / "srv"
        self.console_log = folder / "console.log"
        self._layers = (folder / "upper", folder / "work")
        self._srv_megabytes = srv_megabytes

    def create(self, lower: Path) -> None:
        """Make it, as new, over the root file system `lower`."""
        upper, work = self._layers
        for folder in (self.root, self.srv, upper, work):
            folder.mkdir(parents=True)
        layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
        sh(["mount", "-t", "overlay", "gapless-lab", "-o", layers, str(self.root)])
        size = f"size={self._srv_megabytes}m,mode=0755"
        sh(["mount", "-t", "tmpfs", "gapless-lab", "-o", size, str(self.srv)])

    def destroy(self) -> None:
        """Remove it with all that was written to it; nothing may run on it any more."""
        unmount_below(self._folder)
        shutil.rmtree(self._folder)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host; best while it is down."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def set_identity(self, name: str, hosts_file: str) -> None:
        """Give it a name and a machine-id of its own.

        An empty machine-id would be filled from the one D-Bus has in the shared root, and all
        hosts would be the same machine to systemd.
        """
        self.write("etc/hostname", name + "\n")
        self.write("etc/hosts", hosts_file)
        self.write("etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
        (self.root / "var/lib/dbus/machine-id").unlink(missing_ok=True)

    def fill(self, leave: int) -> None:
        """Fill /srv up to the last `leave` bytes."""
        free = os.statvfs(self.srv)
        size = free.f_bavail * free.f_frsize - leave
        if size > 0:
            with (self.srv / _BALLAST).open("ab") as ballast:
                os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, size)

    def empty(self) -> None:
        """Give the space taken by `fill` back."""
        (self.srv / _BALLAST).unlink(missing_ok=True)


def unmount_below(folder: Path) -> None:
    """Unmount everything mounted below `folder`, the innermost first."""
    for mount in sorted(_mounts_below(folder), reverse=True):
        with suppress(LabError):
            sh(["umount", mount])
    for mount in sorted(_mounts_below(folder), reverse=True):
        sh(["umount", "--lazy", mount])


def _mounts_below(folder: Path) -> list[str]:
    # No lab path has a space in it, so the escapes of mountinfo do not matter.
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = (line.split()[4] for line in lines)
    return [mount for mount in mounts if mount.startswith(f"{folder}/")]
