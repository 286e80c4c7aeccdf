"""Running one command: a limited part of its output is kept, and it ends when it must."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time

from gapless.hostside import identity, program, tree
from gapless.hostside.children import CHILDREN
from gapless.hostside.output import Output
from gapless.hostside.wire import unpack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOT_FOUND = 127
CANNOT_RUN = 126
_TICK = 0.1
_WORDS = 4
"""A program of ours is ``python -I -S -``, and then its words."""
_SHORTEST_DOZE, _LONGEST_DOZE = 0.0002, 0.005
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


class Execution:
    """One command from start to end. ``spec`` is a Command as it travels; ``forks`` says that this
    process has one thread, so that a program of ours may run in a fork of it."""

    def __init__(
        self, spec: dict[str, Any], cancelled: threading.Event, *, forks: bool = False
    ) -> None:
        self.spec = spec
        self.forks = forks
        self.cancelled = cancelled
        self.marker = "GAPLESS_RUN=" + os.urandom(8).hex()
        self.timed_out = False
        self.stdout = Output(spec["output_limit"])
        self.stderr = Output(spec["output_limit"])
        self._started = time.monotonic()
        self._doze = _SHORTEST_DOZE

    def run(self) -> dict[str, Any]:
        """Start it, see it to its end, say what it left. Raises nothing for its failures."""
        try:
            process = self._start()
        except KeyError:
            return self._report(CANNOT_RUN, f"no such user here: {self.spec['user']}")
        except OSError as error:
            return self._report(*_explain(error, self.spec))
        try:
            self._attend(process)
            return self._report(process.wait())
        finally:
            _close(process)
            CHILDREN.forget(process)

    def _start(self) -> subprocess.Popen[bytes]:
        user = self.spec["user"]
        options: dict[str, Any] = {}
        environment = base_environment()
        if user and not identity.is_me(user):
            options = identity.drop_options(user)
            environment.update(identity.environment_of(user))
        environment.update(self.spec["env"])
        name, _, value = self.marker.partition("=")
        environment[name] = value
        if self.forks and self._ours():
            words = ["-", *self.spec["argv"][_WORDS:]]
            text, self.spec["input"] = unpack_bytes(self.spec["input"]), ""
            options["preexec_fn"] = program.becoming(text, words, environment)
        return CHILDREN.spawn(
            self._argv(),
            stdin=subprocess.PIPE if self.spec["input"] else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.spec["cwd"],
            env=environment,
            start_new_session=True,
            **options,
        )

    def _argv(self) -> list[str]:
        argv = list(self.spec["argv"])
        if self._ours():
            argv[0] = sys.executable or argv[0]
        return argv

    def _ours(self) -> bool:
        # Our own Python, unless another user has to run it: ours may be in a home of ours.
        user = self.spec["user"]
        return bool(self.spec.get("interpreted")) and (not user or identity.is_me(user))

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        # Until the command is over: feed it, read it, and end it when the time has come.
        until = self._started + self.spec["timeout"]
        with selectors.DefaultSelector() as selector:
            feeding = _register(selector, process, self)
            while selector.get_map() or process.poll() is None:
                if self.cancelled.is_set() or time.monotonic() >= until:
                    self.timed_out = not self.cancelled.is_set()
                    self._end(process)
                    _drain(selector)
                    return
                over = process.poll() is not None
                moved = self._turn(selector, feeding, min(_TICK, until - time.monotonic()))
                if over and not moved:
                    return  # what it left in the background keeps the pipes open

    def _turn(self, selector: selectors.BaseSelector, feeding: Feeding, wait: float) -> bool:
        if not selector.get_map():  # its pipes are closed, so it is about to end
            self._doze = min(2 * self._doze, _LONGEST_DOZE)
            time.sleep(min(max(wait, 0), self._doze))
            return True
        moved = False
        for key, _ in selector.select(max(wait, 0)):
            moved = True
            if key.data is feeding:
                feeding.push(selector, key.fd)
            else:
                _pull(selector, key)
        return moved

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        def members() -> set[int]:
            process.poll()
            return tree.family(process.pid, self.marker)

        tree.end(members, CHILDREN.reap_strays)

    def _report(self, status: int, complaint: str = "") -> dict[str, Any]:
        hidden = [unpack_bytes(packed) for packed in self.spec.get("hidden", ())]
        cut = self.timed_out or status < 0
        return {
            "argv": list(self.spec["argv"]),
            "status": status,
            "stdout": self.stdout.text(hidden, cut=cut),
            "stderr": complaint or self.stderr.text(hidden, cut=cut),
            "elapsed": round(time.monotonic() - self._started, 6),
            "timed_out": self.timed_out,
            "dropped": self.stdout.dropped + self.stderr.dropped,
        }


class Feeding:
    """What still has to go into a command's stdin."""

    def __init__(self, data: bytes) -> None:
        self.left = memoryview(data)

    def push(self, selector: selectors.BaseSelector, descriptor: int) -> None:
        """Write a piece; close the pipe when all is written or nobody reads."""
        try:
            self.left = self.left[os.write(descriptor, self.left[:65536]) :]
        except BlockingIOError:
            return
        except OSError:
            self.left = self.left[:0]
        if not self.left:
            _finish(selector, descriptor)


def base_environment() -> dict[str, str]:
    """Ours, with the folders of administrators' programs on PATH."""
    environment = dict(os.environ)
    found = [folder for folder in environment.get("PATH", "").split(":") if folder]
    environment["PATH"] = ":".join(found + [folder for folder in _SBIN if folder not in found])
    return environment


def _register(
    selector: selectors.BaseSelector, process: subprocess.Popen[bytes], execution: Execution
) -> Feeding:
    feeding = Feeding(unpack_bytes(execution.spec["input"]))
    for stream, output in ((process.stdout, execution.stdout), (process.stderr, execution.stderr)):
        if stream is not None:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, output)
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE, feeding)
    return feeding


def _pull(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
    try:
        data = os.read(key.fd, 65536)
    except BlockingIOError:
        return False
    if data:
        key.data.feed(data)
        return True
    selector.unregister(key.fileobj)
    return False


def _drain(selector: selectors.BaseSelector) -> None:
    # After the end: what is still in the pipes, without waiting for more.
    for key in list(selector.get_map().values()):
        if isinstance(key.data, Output):
            while _pull(selector, key):
                pass


def _finish(selector: selectors.BaseSelector, descriptor: int) -> None:
    stream = selector.get_key(descriptor).fileobj
    selector.unregister(stream)
    if not isinstance(stream, int):
        with contextlib.suppress(OSError):
            stream.close()  # type: ignore[attr-defined]


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _explain(error: OSError, spec: dict[str, Any]) -> tuple[int, str]:
    # In the words of a shell, since people know those.
    reason = os.strerror(error.errno) if error.errno else str(error)
    program, folder = spec["argv"][0], spec["cwd"]
    if folder is not None and error.filename == folder:
        return (NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN), (
            f"cannot enter the folder {folder}: {reason}"
        )
    if isinstance(error, FileNotFoundError):
        return NOT_FOUND, f"{program}: program not found on this host"
    return CANNOT_RUN, f"{program}: cannot be run: {reason}"
