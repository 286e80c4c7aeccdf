"""``gapless pidwatch``: stay in the foreground before a daemon whose main process changes.

1. The process that everybody knows (the *face*) only passes signals on and ends as the daemon did.
   Behind it a *keeper* starts the command. The keeper is a subreaper: whatever the daemon leaves
   behind, and however it got away, becomes its child. So when the face is killed the keeper knows
   all that has to die, and when the keeper is killed the face does. As process 1 of a namespace
   no keeper is needed: the kernel does its work.
2. The main process is the one the pidfile names, if that descends from the keeper; else the one it
   was before; else the one that was started. A number that was in the file before the start does
   not count, whomever it names by now.
3. The file is read when it matters: before a signal is passed on and when the main process ended.
   Nothing is looked at in between, so nothing wakes up.
4. When the main process ended and others live, one of them may be about to write the file: its
   folder is watched for a few seconds. Then what is left is killed.

This file runs as a program of its own and imports the standard library alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

USAGE, REFUSED, NOT_EXECUTABLE, NOT_FOUND = 2, 3, 126, 127
UNKNOWN = 1
"""The main process was not ours to wait for, and nobody else came after it."""
WAIT = 5.0
"""Seconds until another main process must be named, when one ended and others live."""
KILLING = 5.0
"""Seconds until what was killed must be gone; the kernel may hold a process longer."""

_ALL = signal.valid_signals()
_OURS = {
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGURG,
    signal.SIGKILL,
    signal.SIGSTOP,
}
"""Everything else is passed on."""

_libc = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _NAME, _SUBREAPER = 1, 15, 36
_SIGNAL_INFO = 128
"""Bytes of a struct signalfd_siginfo."""
_MODIFIED, _CLOSED, _MOVED_HERE, _CREATED = 0x2, 0x8, 0x80, 0x100


class Stop(Exception):
    """Nothing can be started: why, and the exit code."""

    def __init__(self, code: int, what: str, **rest: str) -> None:
        super().__init__(what)
        self.code = code
        self.lines = [f"✗  {what}", *(f"   {key:<10}{text}" for key, text in rest.items())]


@dataclass(frozen=True)
class Wanted:
    """The command line."""

    pidfile: str
    command: list[str]
    wait: float = WAIT
    quiet: bool = False


# --- processes ------------------------------------------------------------------------------------


class Process:
    """One that is held by a pidfd, so that its number cannot come to mean another. Raises
    ProcessLookupError when there is none."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hold it no longer."""
        os.close(self.fd)

    def ended(self) -> bool:
        """Also when nobody has waited for it yet."""
        return bool(select.select([self.fd], [], [], 0)[0])

    def send(self, number: int) -> None:
        """Raises ProcessLookupError when it was waited for already."""
        signal.pidfd_send_signal(self.fd, number)

    def parent(self) -> int:
        """0 when it has none, or has ended."""
        found = _stat(self.pid)
        return 0 if self.ended() else int(found[1])

    def descends_from(self, ancestor: int) -> bool:
        """By the chain of parents. Each link is held while the next is asked for: when a link ends
        in between, its children have another parent, and are asked again."""
        while parent := self.parent():
            if parent == ancestor:
                return True
            with suppress(ProcessLookupError), Process(parent) as above:
                if self.parent() == parent and above.descends_from(ancestor):
                    return True
            if self.parent() == parent:
                return False
        return False


def _stat(pid: int) -> list[bytes]:
    """state, parent … of /proc; the name before them may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return [b"X", b"0"]


def descendant(pid: int) -> Process | None:
    """The process of that number, if it descends from us; it is held from before that is asked."""
    try:
        process = Process(pid)
    except (OSError, OverflowError):
        return None
    if process.descends_from(os.getpid()):
        return process
    process.close()
    return None


def kill_descendants() -> None:
    """Until none is left: those whose parent died are our own children by then, so nobody is left
    when we have no child."""
    until = time.monotonic() + KILLING
    while _bury() and (left := until - time.monotonic()) > 0:
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            process = descendant(pid)
            if process is not None:
                with process, suppress(ProcessLookupError, PermissionError):
                    process.send(signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _bury() -> bool:
    """Wait for whoever has ended; whether a child is left."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return True
    return False


def exit_code(status: int) -> int:
    """As a shell tells it: 128 + n for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# --- the pidfile ----------------------------------------------------------------------------------


class Pidfile:
    """What the daemon says about itself; only what it wrote since we began counts."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._before, number = self._read()
        self._refuse_stranger(number)

    def number(self) -> int:
        """0 when it names nobody."""
        with suppress(OSError):
            stamp, number = self._read()
            return 0 if stamp == self._before else number
        return 0

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
        return f"process {pid} of user {user}, parent {os.fsdecode(_stat(pid)[1])}: {words}"
    return f"process {pid}"


class Folder:
    """Tells when the file may have changed. Where the folder does not exist yet, the nearest above
    it is watched."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

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
            _checked(_libc.inotify_add_watch(self.fd, os.fsencode(folder), mask))


# --- signals and starting -------------------------------------------------------------------------


class Signals:
    """All of them stay blocked and are read, so that none is lost or acts on us, not even when we
    are process 1 or have not come to read them yet."""

    def __init__(self) -> None:
        everything = (ctypes.c_ulong * 16)(*[ctypes.c_ulong(-1).value] * 16)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = _checked(_libc.signalfd(-1, ctypes.byref(everything), flags))

    def read(self) -> list[tuple[int, int]]:
        """Numbers and who sent them (0 is the kernel)."""
        try:
            found = os.read(self.fd, 64 * _SIGNAL_INFO)
        except BlockingIOError:
            return []
        starts = range(0, len(found), _SIGNAL_INFO)
        return [(n, who) for n, _, _, who in (struct.unpack_from("IiiI", found, s) for s in starts)]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, value: int | bytes) -> None:
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    _checked(_libc.prctl(option, argument, 0, 0, 0))


def start(command: list[str], known_as: int) -> Process:
    """In a session of its own, so that Ctrl-C at a terminal comes to it once, through us."""
    read, write = os.pipe2(os.O_CLOEXEC)
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(command, known_as, me, write)
    os.close(write)
    failure = os.read(read, 16)
    os.close(read)
    if failure:
        os.waitpid(pid, 0)
        raise _not_started(command[0], int(failure))
    return Process(pid)


def _become(command: list[str], known_as: int, parent: int, failures: int) -> NoReturn:
    """In the child: never returns."""
    try:
        os.setsid()
        _prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        environment = given()
        if environment.get(b"LISTEN_PID") == b"%d" % known_as:
            environment[b"LISTEN_PID"] = b"%d" % os.getpid()
        _default_signals()
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(failures, b"%d" % (error.errno or errno.EINVAL))
    except BaseException:  # a zero byte in a word
        os.write(failures, b"%d" % errno.EINVAL)
    os._exit(NOT_FOUND)


def given() -> dict[bytes, bytes]:
    """The environment as it was given to us: Python may have added LC_CTYPE to its own."""
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return dict(os.environb)
    return dict(pair.split(b"=", 1) for pair in pairs if b"=" in pair)


def _default_signals() -> None:
    """Ignored signals would stay ignored over exec, blocked ones blocked."""
    for number in _ALL - {signal.SIGKILL, signal.SIGSTOP}:
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _not_started(program: str, number: int) -> Stop:
    if number in (errno.ENOENT, errno.ENOTDIR):
        script = os.path.isfile(program)
        what = f"{program}: its interpreter was not found" if script else f"{program}: not found"
        code, then = NOT_FOUND, f"head -1 {program}" if script else f"command -v {program}"
    else:
        what = f"{program}: cannot be executed"
        code, then = NOT_EXECUTABLE, f"ls -ld {program}"
    return Stop(code, what, evidence=os.strerror(number), next=then)


# --- the two processes ----------------------------------------------------------------------------


class Keeper:
    """Follows the main process, until there is none."""

    def __init__(self, wanted: Wanted, pidfile: Pidfile, face: Process | None) -> None:
        self._wanted, self._pidfile, self._face = wanted, pidfile, face
        self._signals = Signals()
        self._folder: Folder | None = None
        self._held: list[int] = []
        """Signals that wait for a main process."""
        self._status: int | None = None
        """Of the last main process that ended."""
        self._until: float | None = None
        """When there is no main process: how long another is waited for."""
        self._first = start(wanted.command, face.pid if face else os.getpid())
        self._main = self._first

    def run(self) -> int:
        """Until the last main process ended; returns the exit code."""
        while (code := self._turn()) is None:
            pass
        kill_descendants()
        return code

    def _turn(self) -> int | None:
        self._sleep()
        if self._face is not None and self._face.ended():
            return 128 + signal.SIGKILL
        self._hear()
        left = self._bury()
        self._look()
        self._deliver()
        if not self._main.ended():
            return None
        return None if left and self._may_wait() else self._ended(left)

    def _sleep(self) -> None:
        """For ever, as long as the main process lives and nobody has anything to say."""
        poll = select.poll()
        for fd in self._sources():
            poll.register(fd, select.POLLIN)
        if self._until is None:
            poll.poll()
        else:
            poll.poll(max(0.0, self._until - time.monotonic()) * 1000 + 1)

    def _sources(self) -> Iterable[int]:
        yield self._signals.fd
        if self._face is not None:
            yield self._face.fd
        if self._until is None:
            yield self._main.fd
        elif self._folder is not None:
            yield self._folder.fd

    def _hear(self) -> None:
        """Only what the face passes on: systemd and others signal every process they find."""
        for number, sender in self._signals.read():
            if number not in _OURS and (self._face is None or sender == self._face.pid):
                self._held.append(number)

    def _bury(self) -> bool:
        """Whoever ended; whether a child is left."""
        between = self._until is not None and self._status is not None
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return True
                # One that came after the main process may end before we heard of it.
                if pid == self._main.pid or (between and pid == self._pidfile.number()):
                    self._status = status
        except ChildProcessError:
            return False

    def _look(self) -> None:
        """Who is the main process? Asked when that matters."""
        over = self._main.ended()
        if not over and not self._held:
            return
        if self._folder is not None:
            self._folder.arm()  # before the file is read
        named = self._pidfile.number()
        if named and (over or named != self._main.pid):
            self._follow(descendant(named))
        if self._main.ended() and not self._first.ended():
            self._follow(self._first)

    def _follow(self, process: Process | None) -> None:
        if process is None:
            return
        self._say(f"follows process {process.pid}, before {self._main.pid}")
        if self._main is not self._first:
            self._main.close()
        self._main, self._status, self._until = process, None, None
        if self._folder is not None:
            os.close(self._folder.fd)
            self._folder = None

    def _deliver(self) -> None:
        """What nobody is there to get is held for the next main process."""
        while self._held and not self._main.ended():
            try:
                self._main.send(self._held[0])
            except ProcessLookupError:
                return
            except OSError as error:  # it runs as another user
                say(f"signal {self._held[0]} cannot be sent to process {self._main.pid}: {error}")
            del self._held[0]

    def _may_wait(self) -> bool:
        """For another process to be named."""
        if self._until is None:
            self._until = time.monotonic() + self._wanted.wait
            with suppress(OSError):  # no more watches to be had: read at the end
                self._folder = Folder(self._pidfile.path)
            self._look()
            self._deliver()
            return True
        return time.monotonic() < self._until

    def _ended(self, left: bool) -> int:
        if left:
            self._say(
                f"process {self._main.pid} ended, and {self._pidfile.path} named no other of its"
                f" descendants for {self._wanted.wait:g} s: those that are left are killed"
            )
        if self._status is None:
            say(f"the parent of process {self._main.pid} took its exit status: {UNKNOWN} instead")
            return UNKNOWN
        return exit_code(self._status)

    def _say(self, text: str) -> None:
        if not self._wanted.quiet:
            say(text)


def face(keeper: Process) -> int:
    """Pass signals on until the keeper ends; returns the exit code."""
    while True:
        number = signal.sigwaitinfo(_ALL).si_signo
        if number not in _OURS:
            with suppress(ProcessLookupError):
                keeper.send(number)
        elif number == signal.SIGCHLD:
            status = _status_of(keeper.pid)
            if status is not None:
                kill_descendants()  # there are some when the keeper was killed
                return exit_code(status)


def _status_of(keeper: int) -> int | None:
    """None while it lives. Others are waited for as well: a shell may have started some before it
    became us."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in (0, keeper):
            return status if pid else None


def keep(wanted: Wanted, pidfile: Pidfile, known: Process | None) -> int:
    """Returns the exit code."""
    try:
        return Keeper(wanted, pidfile, known).run()
    except Stop as stop:
        return complain(stop)
    except OSError as error:
        return complain(_impossible(error))


def watch(wanted: Wanted) -> int:
    """Returns the exit code."""
    pidfile = Pidfile(wanted.pidfile)
    _prctl(_SUBREAPER, 1)
    me = os.getpid()
    if me == 1:
        return keep(wanted, pidfile, None)
    pid = os.fork()
    if pid:
        return face(Process(pid))
    try:
        os._exit(_keep_for(wanted, pidfile, me))
    except BaseException:  # never into the code of the face
        sys.excepthook(*sys.exc_info())
        os._exit(UNKNOWN)


def _keep_for(wanted: Wanted, pidfile: Pidfile, known: int) -> int:
    """In the keeper."""
    os.setsid()
    _prctl(_NAME, b"pidwatch-keeper")
    _prctl(_SUBREAPER, 1)
    held = Process(os.getppid())
    if os.getppid() != known:  # killed already
        return 128 + signal.SIGKILL
    return keep(wanted, pidfile, held)


# --- the command line -----------------------------------------------------------------------------


def parsed(words: list[str]) -> Wanted:
    """``--pidfile FILE [--wait SECONDS] [--quiet] -- COMMAND …``."""
    pidfile, wait, quiet = "", WAIT, False
    rest = iter(words)
    try:
        for word in rest:
            if word == "--pidfile":
                pidfile = next(rest)
            elif word == "--wait":
                wait = float(next(rest))
            elif word == "--quiet":
                quiet = True
            elif word == "--":
                break
            else:
                raise ValueError(word)
    except (StopIteration, ValueError) as error:
        raise Stop(USAGE, f"pidwatch: not understood: {error or words[-1]}") from error
    command = list(rest)
    if not pidfile or not command:
        raise Stop(USAGE, f"pidwatch needs a {'command' if pidfile else 'pidfile'}")
    return Wanted(pidfile, command, wait, quiet)


def say(text: str) -> None:
    """Something happened."""
    _write(f"pidwatch: {text}\n")


def complain(stop: Stop) -> int:
    """Returns its exit code."""
    _write("\n".join(stop.lines) + "\n")
    return stop.code


def _impossible(error: OSError) -> Stop:
    return Stop(REFUSED, "pidwatch cannot work here", evidence=str(error))


def _write(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode(errors="surrogateescape"))


def main(words: list[str]) -> int:
    """Returns the exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take exit statuses away
    try:
        return watch(parsed(words))
    except Stop as stop:
        return complain(stop)
    except OSError as error:
        return complain(_impossible(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
