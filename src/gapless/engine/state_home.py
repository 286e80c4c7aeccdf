"""Where a controller keeps its journals."""

from __future__ import annotations

import os
from pathlib import Path


def state_home() -> Path:
    """Where journals are kept: $GAPLESS_STATE, else $XDG_STATE_HOME/gapless, else
    /var/lib/gapless/controller for root and ~/.local/state/gapless for others."""
    chosen = os.environ.get("GAPLESS_STATE")
    if chosen:
        return Path(chosen)
    if "XDG_STATE_HOME" in os.environ:
        return Path(os.environ["XDG_STATE_HOME"]) / "gapless"
    if os.geteuid() == 0:
        return Path("/var/lib/gapless/controller")
    return Path("~/.local/state/gapless").expanduser()


def release_store() -> Path:
    """The folder for releases that are made on the controller; no project can be called so."""
    return state_home() / "_store"


def project_folder(project: str, environment: str | None = None) -> Path:
    """The folder of one project, or of one environment of it."""
    return state_home() / (project + (f"@{environment}" if environment else ""))
