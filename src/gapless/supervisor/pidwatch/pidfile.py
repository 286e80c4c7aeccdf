"""What the daemon says about itself."""

from __future__ import annotations

import os
from contextlib import suppress

from gapless.supervisor import processes
from gapless.supervisor.pidwatch.process import Process
from gapless.supervisor.pidwatch.stop import REFUSED, Stop


class Pidfile:
    """Only what it wrote since we began counts."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.missing = self._missing_folder()
        """The folder, where the daemon has to make it first."""
        self._before, number = self._read()
        self._refuse_stranger(number)

    def number(self) -> int:
        """0 when it names nobody."""
        with suppress(OSError):
            stamp, number = self._read()
            return 0 if stamp == self._before else number
        return 0

    def _missing_folder(self) -> str:
        """Refuses what can never become a pidfile."""
        folder = there = os.path.dirname(self.path)
        while not os.path.exists(there):
            there = os.path.dirname(there)
        if os.path.isdir(self.path):
            raise self._impossible(
                "is a folder", f"gapless pidwatch --pidfile {self.path}/NAME.pid -- COMMAND"
            )
        if not os.path.isdir(there):
            raise self._impossible(f"cannot be: {there} is not a folder", f"ls -ld {there}")
        if there == folder:
            return ""
        if there == "/":  # no daemon makes that
            raise self._impossible(f"cannot be: there is no {folder}", f"mkdir -p {folder}")
        return folder

    def _impossible(self, why: str, then: str) -> Stop:
        return Stop(REFUSED, f"the pidfile {why}; nothing was started", where=self.path, next=then)

    def _read(self) -> tuple[tuple[int, ...], int]:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return (), 0
        try:
            stat = os.fstat(fd)
            text = os.read(fd, 64)
        finally:
            os.close(fd)
        stamp = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        return stamp, _number(text)

    def _refuse_stranger(self, number: int) -> None:
        """We have started nothing yet: whoever lives under that number is not ours."""
        if number in (0, os.getpid()):
            return
        with suppress(ProcessLookupError, OverflowError, OSError), Process(number) as stranger:
            if not stranger.ended():
                raise Stop(
                    REFUSED,
                    "the pidfile names a process that is not ours; nothing was started",
                    where=self.path,
                    evidence=_described(number),
                    next=f"ps -fp {number}; stop it if it is the daemon, else: rm {self.path}",
                )


def _number(text: bytes) -> int:
    """Of the first line."""
    word = text.partition(b"\n")[0].strip()
    return int(word) if word.isdigit() else 0


def _described(pid: int) -> str:
    import pwd

    with suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).rstrip("\0").replace("\0", " ")
        uid = os.stat(f"/proc/{pid}").st_uid
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        return f"process {pid} of user {user}, parent {max(0, processes.parent(pid))}: {words}"
    return f"process {pid}"
