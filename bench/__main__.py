"""Run every benchmark: ``python -m bench [--short] [--strict] [NAME ...]``.

After ``clusters`` come systems, if not all of them: ``clusters --runs 20 etcd nats``.

A broken bound is printed as such; with ``--strict`` it is exit 1. What may not happen at all (a
lost request, a doubled event, a benchmark that does not run) is exit 1 always.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback

from bench.clustering.systems import NAMES as SYSTEMS
from bench.results import Bound, conclude

NAMES = (
    "startup", "plan", "engine", "makespan", "fleet", "flip", "containers", "clusters", "handover",
    "rounds",
)  # fmt: skip


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="at most 90 s, wider tolerances")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a bound is broken")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="clusters: rolls of each")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="clusters: of each")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(NAMES))
    chosen = parser.parse_intermixed_args()
    systems = [name for name in chosen.names if name in SYSTEMS and "clusters" in chosen.names]
    names = [name for name in chosen.names if name not in systems]
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    bounds: list[Bound] = []
    more = {"clusters": {"chosen": systems, "runs": chosen.runs, "killed": chosen.kills}}
    for name in names or NAMES:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        try:
            bounds += importlib.import_module(f"bench.{name}").main(
                chosen.short, **more.get(name, {})
            )
        except Exception:  # the others still tell what they have to tell
            traceback.print_exc()
            bounds.append(Bound(f"{name}: runs", 1, 0))
        print(f"  ({time.perf_counter() - started:.0f} s)")
    return conclude(bounds, strict=chosen.strict)


if __name__ == "__main__":
    sys.exit(main())
