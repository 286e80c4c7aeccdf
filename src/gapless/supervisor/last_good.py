"""The last good configuration: what there is to go back to, also after a new start."""

from __future__ import annotations

import contextlib
import os

from gapless.supervisor import rundir, upgrade
from gapless.supervisor.copy import Copy
from gapless.supervisor.spec import Spec


class LastGood:
    """Kept in ``folder``, as a pair: the one that serves, and the one before it."""

    def __init__(self, folder: str) -> None:
        self._path = f"{folder}/{rundir.LAST_GOOD}"
        self.spec: Spec | None = None
        self.of = 0
        """The generation that served with it last; 0 when that was before we were started."""

    def committed(self, wanted: Spec, old: Copy | None) -> None:
        """``wanted`` serves now; ``old`` did before it."""
        if old is not None and not (self.spec and old.wanted.same_as(wanted)):
            self.spec, self.of = old.wanted, old.number
        self._remember(wanted)

    def recall(self, started: Spec) -> None:
        """What there is to go back to from the configuration that is started now."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            with open(self._path) as file:
                good, before = upgrade.paired(file.read())
            for text in (good, before):
                if text is not None and not (found := Spec.from_json(text)).same_as(started):
                    self.spec = found
                    return

    def _remember(self, good: Spec) -> None:
        before = self.spec.to_json() if self.spec else None
        fresh = f"{self._path}.new"
        with contextlib.suppress(OSError):
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(upgrade.pair(good.to_json(), before))
            os.rename(fresh, self._path)
