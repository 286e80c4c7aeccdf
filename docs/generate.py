"""``python -m docs.generate``: write ``docs/reference``; ``--check`` only tells what differs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generators import cli, config, errors, events, exit_codes

REFERENCE = Path(__file__).parent / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "config.md": config.generate,
    "cli.md": cli.generate,
    "events.md": events.generate,
    "exit-codes.md": exit_codes.generate,
    "errors.md": errors.generate,
}
"""Every generated page of the reference."""


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or check them; 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    chosen = parser.parse_args(arguments)
    stale = [name for name in PAGES if not _is_fresh(name)]
    for name in stale:
        print(f"{'stale' if chosen.check else 'written'}: {REFERENCE / name}")
        if not chosen.check:
            REFERENCE.mkdir(exist_ok=True)
            (REFERENCE / name).write_text(PAGES[name](), "utf-8")
    return 1 if stale and chosen.check else 0


def _is_fresh(name: str) -> bool:
    path = REFERENCE / name
    return path.is_file() and path.read_text("utf-8") == PAGES[name]()


if __name__ == "__main__":
    sys.exit(main())
