"""Where the lab keeps what."""

from __future__ import annotations

import os
from pathlib import Path

LAB_FOLDER = Path(__file__).resolve().parent

# Not configurable: two labs only keep out of each other's way if they meet at the same locks.
STATE = Path("/var/lib/gapless-lab")


def cache() -> Path:
    """The folder of the cached root file systems."""
    return Path(os.environ.get("GAPLESS_LAB_CACHE", "/var/cache/gapless-lab"))
