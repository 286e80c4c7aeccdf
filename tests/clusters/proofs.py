"""What ``--prove`` came to, as a rollout reported it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.clusters.site import Site


@dataclass
class Proof:
    """``report`` is that of ``--json``, ``client`` what the client of the only cluster saw."""

    report: dict[str, Any]

    @property
    def client(self) -> dict[str, Any]:
        (one,) = self.report["gap"]["workloads"]
        return dict(one)

    def well(self) -> bool:
        """Nothing failed, nothing is lost, all is read back, and nothing is left behind."""
        told = self.client
        missed = ("failed", "lost", "unread", "left")
        return told["acknowledged"] > 20 and not any(told[name] for name in missed)


def proved(site: Site) -> Proof:
    """A restart of all members with ``--prove``."""
    told = site.run("restart", "--yes", "--reason", "test", "--prove", "--json")
    return Proof(json.loads(told[told.index("{") : told.rindex("}") + 1]))
