"""Why nothing can be started."""

from __future__ import annotations

USAGE, REFUSED, NOT_EXECUTABLE, NOT_FOUND = 2, 3, 126, 127


class Stop(Exception):
    """Nothing can be started: why, and the exit code."""

    def __init__(self, code: int, what: str, **rest: str) -> None:
        super().__init__(what)
        self.code = code
        self.lines = [f"✗  {what}", *(f"   {key:<10}{text}" for key, text in rest.items())]
