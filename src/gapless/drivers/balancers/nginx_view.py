"""What a look at an nginx brought back, read into facts. No side effects.

nginx does not tell what it has loaded. It starts new workers for every configuration it reads, so
the age of its workers tells: one that is younger than the last change of the file has read it, one
that is older has not, and may still hold connections made before.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

_MARGIN = 0.02
"""Seconds by which a worker has to be younger: the kernel counts its start in hundredths."""


class RubbishError(ValueError):
    """The answer is not that of a look; its text is the evidence."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process. ``active``: it takes new connections; ``old``: it was there before the
    file was changed."""

    pid: int
    active: bool
    old: bool


@dataclass(frozen=True, slots=True)
class View:
    """One nginx. ``life`` names its master process."""

    life: str
    workers: tuple[Worker, ...]
    content: bytes

    @property
    def loaded(self) -> bool:
        """Whether every worker that takes connections has read the file as it is."""
        active = [worker for worker in self.workers if worker.active]
        return bool(active) and not any(worker.old for worker in active)

    @property
    def leaving(self) -> int:
        """Workers that may still hold connections made before the last change."""
        return sum(worker.old for worker in self.workers)

    @property
    def text(self) -> str:
        """The file; bytes that are no text stay what they are."""
        return self.content.decode(errors="surrogateescape")

    def __str__(self) -> str:
        active = sum(worker.active for worker in self.workers)
        if not self.loaded:
            return f"nginx has not read the file since it was changed, {self.leaving} old workers"
        return f"{active} workers since the change, {self.leaving} from before it"


def parse(answer: str) -> View:
    """The view in the answer to ``nginx_scripts.look``. Raises RubbishError."""
    try:
        lines = [line.partition(" ")[::2] for line in answer.strip().split("\n")]
        (_, clock), (_, life), *workers, (_, content) = lines
        if [word for word, _ in lines] != ["clock", "master", *["worker"] * len(workers), "file"]:
            raise ValueError
        now, uptime, ticks, changed = map(float, clock.split())
        return View(
            life,
            tuple(_worker(text, uptime - (now - changed), ticks) for _, text in workers),
            base64.b64decode(content, validate=True),
        )
    except (ValueError, binascii.Error):
        raise RubbishError(answer) from None


def _worker(text: str, changed: float, ticks: float) -> Worker:
    """``changed`` is the moment of the change in seconds since the machine started."""
    pid, start, state = text.split()
    return Worker(int(pid), state == "active", float(start) / ticks < changed + _MARGIN)
