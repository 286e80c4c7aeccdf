"""Packs the helper for its way over stdin. Runs on the controller, and for runners on the host."""

from __future__ import annotations

import json
import zlib
from typing import Any

# One line, no "!", "$" or "%": single quotes keep it whole whatever the login shell is, and
# systemd expands nothing in it.
BOOT = (
    "import sys,json,zlib;"
    'sys.version_info<(3,8) and sys.exit("gapless needs Python 3.8 or newer, not "+sys.version);'
    "r=sys.stdin.buffer;"
    "b=json.loads(zlib.decompress(r.read(int(r.readline()))).decode());"
    'g={"__name__":"gapless_boot"};exec(b["boot"],g);g["start"](b)'
)
LOOP = "gapless.hostside.loop"
RUNNER = "gapless.hostside.runner"


def interpreter(python: str) -> tuple[str, ...]:
    """The argv that waits for a bundle on stdin: isolated, without site packages."""
    return (python, "-I", "-S", "-c", BOOT)


def read_sources() -> dict[str, str]:
    """Module name to source of everything a host needs."""
    from pathlib import Path  # costs a host time that never calls this

    here = Path(__file__).parent
    sources = {"gapless": "", "gapless.hostside": ""}
    for file in sorted(here.glob("*.py")):
        if file.stem != "__init__":
            sources[f"gapless.hostside.{file.stem}"] = file.read_text(encoding="utf-8")
    return sources


def pack(sources: dict[str, str], main: str, settings: dict[str, Any]) -> bytes:
    """The bytes BOOT wants to read: a length in a line of its own, then the bundle."""
    boot = sources["gapless.hostside.boot"]
    bundle = {"boot": boot, "sources": sources, "main": main, "settings": settings}
    packed = zlib.compress(json.dumps(bundle).encode(), 6)
    return b"%d\n" % len(packed) + packed
