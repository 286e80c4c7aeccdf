"""What builds left, one line a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gapless.drivers.releases.built import in_bytes
from gapless.render.layout import screen, table
from gapless.render.words import seconds

_SHORT = 12


class BuildRow(Protocol):
    """The build of one service."""

    @property
    def service(self) -> str:
        """Its service."""
        ...

    @property
    def release(self) -> str:
        """The release that it is part of."""
        ...

    @property
    def keep(self) -> Sequence[str]:
        """What it left."""
        ...

    @property
    def key(self) -> str:
        """What it was built from."""
        ...

    @property
    def digest(self) -> str:
        """What it is."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took when it was built."""
        ...

    @property
    def built(self) -> bool:
        """Whether that was now."""
        ...


def render_builds(rows: Sequence[BuildRow], width: int = 0) -> str:
    """Key and digest as plans begin them; ``--json`` has them whole."""
    header = ("SERVICE", "RELEASE", "KEEPS", "KEY", "DIGEST", "SIZE", "BUILD")
    return screen(table(header, [_build(row) for row in rows], width, ("KEEPS", "RELEASE")))


def _build(row: BuildRow) -> tuple[str, ...]:
    how = f"built in {seconds(row.seconds)}" if row.built else "used again"
    names = (row.service, row.release, " ".join(row.keep))
    return (*names, row.key[:_SHORT], row.digest[:_SHORT], in_bytes(row.size), how)
