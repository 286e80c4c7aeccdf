"""A program of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gapless.supervisor.spec import Ready
from tests.supervisor.rig import PYTHON, Rig

Web = Callable[..., Rig]

ALIVE = Ready("alive", after=0.05)


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    file = tmp_path / "program.py"
    file.write_text(text)
    return (*PYTHON, str(file))
