"""A page of docs/how-to/profiles: the files it shows, put where a test can use them.

A test runs what the page shows, but under a folder of its own instead of /, on ports of its own,
and with a shorter settle time, which no page sets.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGES = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "profiles"
SETTLE = "settle: 300ms\n"
_BLOCK = re.compile(r"^```\w+\n(?:#|//|;) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown(page: str) -> dict[str, str]:
    """Files by path; the first line of a block names its file."""
    return dict(_BLOCK.findall((PAGES / f"{page}.md").read_text("utf-8")))


def laid_out(page: str, run_file: str, folder: Path, ports: dict[str, int]) -> Path:
    """Write them; the run file's path."""
    files = shown(page)
    for name, text in files.items():
        for port, mine in ports.items():
            text = re.sub(rf"\b{port}\b", str(mine), text)
        text = re.sub(r"(?<![\w.])/(srv|run)/web\b", rf"{folder}/\1/web", text)
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + SETTLE * (name == run_file))
    (folder / "run").mkdir(exist_ok=True)
    assert run_file in files, f"{page}.md shows no {run_file}"
    return folder / run_file.lstrip("/")
