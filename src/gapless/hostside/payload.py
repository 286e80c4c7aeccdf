"""What came over stdin with the helper: the modules, to start runners from, and the settings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MODULES: dict[str, Any] = {}
SETTINGS: dict[str, Any] = {}
