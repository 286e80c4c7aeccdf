"""Placeholders where texts about keys name them: ``<check fields>`` and ``<command fields>`` stand
for all there are, so that no text can lack one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gapless.config.addresses import CHECK_FIELDS, COMMAND_FIELDS

_LISTS = {"check": CHECK_FIELDS, "command": COMMAND_FIELDS}
_TOKEN = re.compile(r"<(check|command)\s+fields>")


def spelled(text: str) -> str:
    """The text with the placeholders themselves."""
    return _TOKEN.sub(lambda found: _listed(_LISTS[found[1]]), text)


def _listed(fields: Sequence[str]) -> str:
    *most, last = [f"``{{{field}}}``" for field in fields]
    return f"{', '.join(most)} and {last}"
