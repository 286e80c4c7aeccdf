"""A journal whose controller is killed at its n-th write: before it was committed, or after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gapless.engine.sqlite_journal import SqliteJournal

WRITES = ("open_rollout", "close_rollout", "adopt", "begin", "finish", "append")


class ControllerKilled(BaseException):
    """The process is gone: nothing may catch this and go on."""


def was_kill(error: BaseException) -> bool:
    """Whether it is a kill and nothing else: an error that came with it is an error."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(ControllerKilled)[1] is None
    return isinstance(error, ControllerKilled)


class MortalJournal:
    """Delegates to a journal until its time has come; then every call raises."""

    def __init__(self, journal: SqliteJournal, *, dies_at: int | None, after_commit: bool) -> None:
        self._journal = journal
        self._dies_at = dies_at
        self._after_commit = after_commit
        self.writes = 0
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        return self._mortal(method, name in WRITES) if callable(method) else method

    def _mortal(self, method: Callable[..., Any], write: bool) -> Callable[..., Any]:
        def call(*args: Any, **fields: Any) -> Any:
            if self.dead:
                raise ControllerKilled
            if not write:
                return method(*args, **fields)
            self.writes += 1
            if self.writes != self._dies_at:
                return method(*args, **fields)
            self.dead = True
            if self._after_commit:
                method(*args, **fields)
            raise ControllerKilled

        return call
