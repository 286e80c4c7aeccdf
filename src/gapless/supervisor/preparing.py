"""What comes before a copy is started: the configuration as it is now, and our own code.

1. Nothing it was made of has changed: it is as it was. Else another process compiles it.
2. New code of ours loads all our state in another process, and says whether it could go on. If it
   cannot, the flip does without, and that code is not tried again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from gapless.supervisor import processes, upgrade
from gapless.supervisor.children import Launch, exit_code
from gapless.supervisor.errand import Done, Errand
from gapless.supervisor.site import Site
from gapless.supervisor.spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Prepared(Protocol):
        """Called with what to start, as JSON, which new code may understand better than we do;
        and whether our own code is to be renewed first."""

        def __call__(self, wanted: str, *, renew: bool) -> None:
            """Once."""
            ...


_COMPILES = 30.0
"""Seconds that reading a configuration may take."""
_NOT_FOR_TOOLS = ("LISTEN_", "NOTIFY_")
_NO_FDS: Mapping[int, int] = {}


class Preparing:
    """One at a time. ``state`` gives all that new code has to understand, with what is to be
    started next."""

    def __init__(self, site: Site, state: Callable[[str], dict[str, Any]]) -> None:
        self._site, self._state = site, state
        self.busy = False
        self._prepared: Prepared
        self._unprepared: Callable[[str, str], None]
        self._errand: Errand | None = None
        self._loaded: list[tuple[str, int, int]] = [*upgrade.LOADED]

    def begin(
        self, current: Spec, prepared: Prepared, unprepared: Callable[[str, str], None]
    ) -> None:
        """One of them is called in the end, ``unprepared`` with what and evidence."""
        self.busy = True
        self._prepared, self._unprepared = prepared, unprepared
        if _unchanged(current):
            self._with_code(current, current.to_json())
        else:
            self._compile(current)

    def break_off(self) -> None:
        """It is not wanted any more: nobody is called."""
        self.busy = False
        if self._errand is not None:
            self._errand.end()
            self._errand = None

    def _compile(self, current: Spec) -> None:
        """Not led astray (-P) by modules that lie where we happen to stand."""
        compiler = (sys.executable, "-P", "-m", "gapless.config.compiling")
        what = current.source or "an environment file"

        def compiled(status: int | None, out: str, err: str) -> None:
            if status is None:
                self._fail(f"{what} was not read within {_COMPILES:g} s", err)
            elif status != 0:
                self._fail(f"{what} is not right", err.strip())
            else:
                self._with_code(current, out)

        if current.source:
            self._run((*compiler, current.source, current.name), _COMPILES, compiled)
            return
        given = _held(current.given)
        self._run((*compiler, "-"), _COMPILES, compiled, {0: given})
        os.close(given)

    def _with_code(self, current: Spec, wanted: str) -> None:
        """Is there new code of ours, and does it understand all of this?"""
        leaving = self._site.addresses.leaving(current)
        try:
            changed = upgrade.signature()
        except OSError:
            changed = self._loaded  # it is just being replaced
        if changed == self._loaded or leaving:
            self._pass(wanted, renew=False)
            return

        def checked(status: int | None, _out: str, err: str) -> None:
            good = status is not None and exit_code(status) == 0
            if not good:
                self._loaded = changed  # not tried again until it changes once more
                last = err.strip().splitlines()[-1:] or ["no reason given"]
                self._site.say(f"the new code of gapless is not taken in: {last[0]}")
            self._pass(wanted, renew=good)

        state = upgrade.stored(self._state(wanted))
        self._run((*upgrade.PROGRAM, "--check", "3"), upgrade.LIMIT, checked, {3: state})
        os.close(state)

    def _run(
        self, words: tuple[str, ...], limit: float, done: Done, fds: Mapping[int, int] = _NO_FDS
    ) -> None:
        """A program of our own, without what is only meant for the supervisor."""

        def over(status: int | None, out: str, err: str) -> None:
            self._errand = None
            done(status, out, err)

        variables = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_TOOLS)}
        variables[processes.MARK] = self._site.mark(0)
        self._errand = Errand(
            self._site.loop, self._site.children,
            lambda own: Launch(words, variables, fds={**own, **fds}), limit, over,
        )  # fmt: skip

    def _pass(self, wanted: str, *, renew: bool) -> None:
        self.busy = False
        self._prepared(wanted, renew=renew)

    def _fail(self, what: str, evidence: str) -> None:
        self.busy = False
        self._unprepared(what, evidence)


def _held(text: str) -> int:
    """To be read through a descriptor; others could see a command line."""
    fd = os.memfd_create("gapless-given", os.MFD_CLOEXEC)
    with open(fd, "w", closefd=False) as file:
        file.write(text)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _unchanged(spec: Spec) -> bool:
    """Whether all that a configuration was made of is what it was."""
    for path, changed, size in spec.inputs:
        try:
            found = os.stat(path)
            now = found.st_mtime_ns, found.st_size
        except OSError:
            now = 0, -1  # as who compiles says it
        if now != (changed, size):
            return False
    return True
