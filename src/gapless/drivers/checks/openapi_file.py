"""An OpenAPI description that is a file on the machine gapless runs on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from gapless.errors import UsageError

_LARGEST = 8 << 20


def read_description(path: str) -> dict[str, Any]:
    """The description, from YAML or JSON, as plain data. Raises UsageError when it is none."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"the OpenAPI description cannot be read: {path}", evidence=str(error)
        ) from error
    try:
        if len(raw) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST >> 20} MiB")
        found = json.loads(json.dumps(yaml.safe_load(raw), default=str))
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"not an OpenAPI description: {path}", evidence=str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("paths"), dict):
        raise UsageError(f"not an OpenAPI description: {path}", evidence="it has no paths")
    return found
