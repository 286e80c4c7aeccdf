"""Golden text files: what a person sees, looked at by eye. GAPLESS_GOLDEN=write rewrites them."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Compare with golden/NAME.txt."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("GAPLESS_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert "\x1b" not in text
