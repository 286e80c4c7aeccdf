"""The host's journal of critical actions: an intent, a runner's lock and an outcome per key."""

from __future__ import annotations

import contextlib
import os
import time

try:
    from _blake2 import blake2b  # hashlib would set up all of OpenSSL
except ImportError:
    from hashlib import blake2b

from gapless.hostside import files
from gapless.hostside.store import Store, os_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUN_FOLDER = "/run/gapless"
_KEEP, _KEEP_ALWAYS = 500, 50
_KEEP_SECONDS = 30 * 86400.0


class ActionFiles:
    """The files of one action, named by the digest of its key and the state folder."""

    def __init__(self, store: Store, key: str, name: str = "") -> None:
        self.store = store
        # With the folder, since the place in memory and systemd's names are one for all folders.
        full = f"{store.root}\0{key}".encode()
        self.name = name or blake2b(full, digest_size=12).hexdigest()
        self.unit = f"gapless-{self.name[:12]}.service"
        self.lock_path = self._path("runner")
        self._intent: dict[str, Any] | None = None

    @classmethod
    def unfinished(cls, store: Store) -> list[ActionFiles]:
        """Actions with an intent and no outcome."""
        names = _names(store, ".intent") - _names(store, ".outcome")
        found = [cls(store, "", name) for name in names]
        return [action for action in found if action.outcome() is None]

    def intent(self) -> dict[str, Any] | None:
        """What was about to be done, None when nobody ever asked."""
        if self._intent is None:
            self._intent = self.store.read(self._path("intent"))
        return self._intent

    def write_intent(self, intent: dict[str, Any]) -> None:
        """On the disk when this returns."""
        self.store.write(self._path("intent"), intent)
        self._intent = intent

    def outcome(self) -> dict[str, Any] | None:
        """What the runner left when it ended, also where the disk was full by then."""
        for path in self.outcome_paths():
            record = self.store.read(path)
            if record is not None:
                return record
        return None

    def outcome_paths(self) -> list[str]:
        """Where an outcome may be: the state folder, or memory when that could not be written."""
        paths = [self._path("outcome")]
        return [*paths, f"{RUN_FOLDER}/{self.name}.outcome"] if os.geteuid() == 0 else paths

    def spec_path(self) -> str:
        """Where a runner finds what to run: memory rather than disk, it may hold secrets."""
        if os.geteuid() != 0:
            return self._path("spec")
        with os_words("cannot make the folder for runners"):
            os.makedirs(RUN_FOLDER, mode=0o700, exist_ok=True)
        return f"{RUN_FOLDER}/{self.name}.spec"

    def write_spec(self, content: bytes) -> str:
        """Lay out what to run; the path. Nothing is left of it when that fails."""
        path = self.spec_path()
        with os_words("cannot write what the runner needs"):
            files.write_atomically(path, content, durable=False)  # its reader would be gone, too
        return path

    def forget(self) -> None:
        """Remove every trace."""
        kinds = ("intent", "outcome", "runner", "spec")
        for path in (*map(self._path, kinds), *self.outcome_paths()[1:]):
            with contextlib.suppress(OSError):
                os.unlink(path)
        self._intent = None

    def age(self) -> float:
        """Seconds since it began."""
        return time.time() - float((self.intent() or {}).get("started", 0.0))

    def _path(self, kind: str) -> str:
        return self.store.path("actions", f"{self.name}.{kind}")


def prune(store: Store) -> None:
    """Forget ended actions beyond the last 500, and all older than 30 days but the last 50: the
    clock may have been set."""
    names = _names(store, ".intent")
    if len(names) <= _KEEP and _last_pruned() < 3600:
        return
    _PRUNED.append(time.monotonic())
    actions = sorted((ActionFiles(store, "", name) for name in names), key=ActionFiles.age)
    for position, action in enumerate(actions[_KEEP_ALWAYS:], _KEEP_ALWAYS):
        old = action.age() > _KEEP_SECONDS
        if old or (position >= _KEEP and action.outcome() is not None):
            action.forget()


_PRUNED: list[float] = []


def _last_pruned() -> float:
    return time.monotonic() - _PRUNED[-1] if _PRUNED else float("inf")


def _names(store: Store, suffix: str) -> set[str]:
    with os_words("cannot read the host's state"):
        entries = os.listdir(store.path("actions"))
    return {entry[: -len(suffix)] for entry in entries if entry.endswith(suffix)}
