"""``python -m docs.generate``: write what is generated; ``--check`` only tells what differs.

That is all of ``docs/reference``, and the screens in hand-written pages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generators import balancers, cli, config, errors, events, exit_codes, run
from docs.generators.screens import embed, pages_with_screens

REFERENCE = Path(__file__).parent / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "config.md": config.generate,
    "run.md": run.generate,
    "balancers.md": balancers.generate,
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
    stale = {path: text for path, text in wanted().items() if not _holds(path, text)}
    for path, text in stale.items():
        print(f"{'stale' if chosen.check else 'written'}: {path}")
        if not chosen.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    return 1 if stale and chosen.check else 0


def wanted() -> dict[Path, str]:
    """Every file this program writes, with the text it should have."""
    pages = {REFERENCE / name: generate() for name, generate in PAGES.items()}
    screens = {path: embed(path.read_text("utf-8")) for path in pages_with_screens()}
    return {**pages, **screens}


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
