"""Run every benchmark: ``python -m bench [--short] [--strict] [NAME ...]``.

A broken bound is printed as such; with ``--strict`` it is exit 1. What may not happen at all (a
lost request, a doubled event, a benchmark that does not run) is exit 1 always.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback

from bench.results import Bound, conclude

NAMES = (
    "startup", "plan", "engine", "makespan", "fleet", "flip", "containers", "handover", "rounds"
)  # fmt: skip


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="at most 90 s, wider tolerances")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a bound is broken")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(NAMES))
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    bounds: list[Bound] = []
    for name in chosen.names or NAMES:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        try:
            bounds += importlib.import_module(f"bench.{name}").main(chosen.short)
        except Exception:  # the others still tell what they have to tell
            traceback.print_exc()
            bounds.append(Bound(f"{name}: runs", 1, 0))
        print(f"  ({time.perf_counter() - started:.0f} s)")
    return conclude(bounds, strict=chosen.strict)


if __name__ == "__main__":
    sys.exit(main())
