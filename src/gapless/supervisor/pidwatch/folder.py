"""Where the pidfile is, or will be."""

from __future__ import annotations

import os
from contextlib import suppress

from gapless.supervisor.linux import checked, libc

_MODIFIED, _CLOSED, _MOVED_HERE, _CREATED = 0x2, 0x8, 0x80, 0x100


class Folder:
    """Tells when the file may have changed. Where the folder does not exist yet, the nearest above
    it is watched."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.fd = checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def arm(self) -> None:
        """From now on, and forget what has happened."""
        with suppress(BlockingIOError):
            while os.read(self.fd, 65536):
                pass
        folder = os.path.dirname(self._path)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        mask = _MODIFIED | _CLOSED | _MOVED_HERE | _CREATED
        with suppress(OSError):  # then it is read once more at the end
            checked(libc.inotify_add_watch(self.fd, os.fsencode(folder), mask))
