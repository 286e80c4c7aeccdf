"""What came over stdin with the helper: the sources, to start runners from, and the settings."""

from __future__ import annotations

from typing import Any

SOURCES: dict[str, str] = {}
SETTINGS: dict[str, Any] = {}
