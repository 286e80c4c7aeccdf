"""Real systemd hosts on one machine, for tests and demos. README.md tells how to use them."""

from __future__ import annotations

from .availability import lab_is_required, lab_unavailable_reason
from .host import LabHost
from .lab import Lab
from .shell import LabError

__all__ = ["Lab", "LabError", "LabHost", "lab_is_required", "lab_unavailable_reason"]
