"""A file to attach to a report of a bug: private, and without anything of the environment."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path

from gapless import __version__


def write_report(error: Exception, words: list[str]) -> Path | None:
    """Write it to the state folder; None when that is not possible."""
    name = time.strftime("bug-%Y%m%d-%H%M%S", time.gmtime()) + f"-{os.getpid()}.txt"
    text = "".join([*_head(words), *traceback.format_exception(error)])
    try:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return path


def _head(words: list[str]) -> list[str]:
    return [
        f"gapless {__version__}\n",
        f"python {sys.version.split()[0]} on {platform.platform()}\n",
        f"arguments {words!r}\n\n",
    ]


def _folder() -> Path:
    try:
        from gapless.engine.state_home import state_home

        return state_home() / "bugs"
    except Exception:  # the bug may be that nothing can be imported
        return Path(os.environ.get("GAPLESS_STATE", "~/.local/state/gapless")).expanduser() / "bugs"
