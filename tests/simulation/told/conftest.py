"""The same shop as the faults have."""

from __future__ import annotations

from tests.simulation.faults.conftest import shop

__all__ = ["shop"]
