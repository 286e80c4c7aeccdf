"""A new copy on its way to take over.

1. Start it. The start limit runs from here.
2. Wait until it is ready: it says so, a check that only it can answer passes, or it has lived long
   enough.
3. Watch it for the settle time, asking on. Only then has it passed.
4. It fails when it cannot be started, ends, is not ready in time, or fails a check while it
   settles. Whatever the reason, the old copy was not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gapless.supervisor.asking import Answer, Asking
from gapless.supervisor.children import Children
from gapless.supervisor.copy import Copy
from gapless.supervisor.loop import Deadline, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from gapless.supervisor.notify import Manager
    from gapless.supervisor.outlet import Outlet

PROBE = "probe:"


class Trial:
    """``passed`` or ``failed`` (with what and evidence) is called once; ``ready`` before."""

    def __init__(
        self,
        loop: Loop,
        children: Children,
        copy: Copy,
        passed: Callable[[], None],
        failed: Callable[[str, str], None],
        ready: Callable[[], None],
    ) -> None:
        self._loop, self._children, self.copy = loop, children, copy
        self._passed, self._failed, self._ready = passed, failed, ready
        self._asking: Asking | None = None
        self._limit: Deadline | None = None
        self._in_a_row = 0
        self._last = ""
        self._over = False

    def begin(
        self,
        held: Mapping[str, socket.socket],
        manager: Manager,
        outlets: Mapping[int, Outlet],
    ) -> None:
        """Start it; never raises."""
        spec = self.copy.spec
        self.copy.on_end = self._ended
        self.copy.on_ready = self._told_ready
        try:
            self.copy.start(self._children, held, manager, outlets)
        except (OSError, ValueError) as error:
            self.copy.errno = getattr(error, "errno", 0) or 0
            self._fail(f"cannot start {spec.command[0]}", _reason(error))
            return
        self.copy.state = "checking"
        self._limit = self._loop.after(spec.start_timeout, self._too_late)
        self._watch()

    def extend(self, seconds: float) -> None:
        """It asks to be given so long from now on; it may do so again."""
        checking = self.copy.state == "checking" and self.copy.spec.ready.kind != "alive"
        if checking and (self._limit is None or self._limit.at < self._loop.now() + seconds):
            self._limit = self._again(seconds, self._too_late)

    def cancel(self) -> None:
        """Nothing is called any more."""
        self._finish()

    def _watch(self) -> None:
        ready = self.copy.spec.ready
        if ready.kind == "alive":
            self._limit = self._again(ready.after, self._is_ready)
        elif ready.kind != "notify":
            assert self.copy.launch is not None
            target = ready.target
            if target.startswith(PROBE):
                target = _probed(self.copy.probe, target.removeprefix(PROBE))
            asked = replace(ready, target=target)
            self._asking = Asking(
                self._loop, self._children, asked, self.copy.launch, self._answered
            )
            self._asking.begin()

    def _told_ready(self) -> None:
        if self.copy.spec.ready.kind == "notify" and self.copy.state == "checking":
            self._is_ready()

    def _answered(self, answer: Answer) -> None:
        self._last = answer.evidence
        self._in_a_row = self._in_a_row + 1 if answer.ok else 0
        if self.copy.state == "checking" and self._in_a_row >= self.copy.spec.ready.successes:
            self._is_ready()
        elif self.copy.state == "settling" and not answer.ok:
            self._fail("a check failed while it settled", answer.evidence)

    def _is_ready(self) -> None:
        self.copy.state = "settling"
        self.copy.times["ready"] = self._loop.now()
        self._limit = self._again(self.copy.spec.settle, self._pass)
        self._ready()

    def _pass(self) -> None:
        if not self._over:
            self._finish()
            self._passed()

    def _too_late(self) -> None:
        limit = self.copy.spec.start_timeout
        self._hear_out()
        if self.copy.spec.ready.kind == "notify":
            self._last = self._last or "it did not send READY=1 to $NOTIFY_SOCKET"
        self._fail(f"not ready after {limit:g} s", self._last)

    def _ended(self) -> None:
        self._hear_out()
        when = "while it settled" if self.copy.state == "settling" else "before it was ready"
        self._fail(f"it {self.copy.ended_how()} {when}", self._last)

    def _hear_out(self) -> None:
        """The attempt under way tells more than an answer of long ago."""
        if self._asking is not None:
            self._last = self._asking.unanswered or self._last

    def _fail(self, what: str, evidence: str) -> None:
        if not self._over:
            self._finish()
            self._failed(what, evidence)

    def _again(self, seconds: float, call: Callable[[], None]) -> Deadline:
        if self._limit is not None:
            self._limit.cancel()
        return self._loop.after(seconds, call)

    def _finish(self) -> None:
        self._over = True
        if self._limit is not None:
            self._limit.cancel()
        if self._asking is not None:
            self._asking.end()


def _probed(address: str, path: str) -> str:
    """The private address in the form of a check's target."""
    return f"{address}:{path}" if address.startswith("unix:") else f"{address}{path}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error)
