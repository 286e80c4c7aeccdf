"""What takes its time before a plan is there (fetching, building), told on standard error."""

from __future__ import annotations

from contextlib import AbstractContextManager

from gapless.cli.output import note


def aloud() -> AbstractContextManager[None]:
    """Within the body a person is told what is done."""
    from gapless.drivers.releases.telling import told

    return told(lambda text: note(f"…  {text}\n"))
