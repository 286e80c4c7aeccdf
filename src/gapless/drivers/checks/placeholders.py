"""``{host}`` and its siblings in checks, filled in; an unknown one is told with a guess."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from gapless.errors import UsageError

_FIELD = re.compile(r"\{([a-z_]+)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with every ``{name}`` replaced; UsageError for a name that does not exist."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in values:
            return values[name]
        near = difflib.get_close_matches(name, values, 1)
        hint = f"did you mean {{{near[0]}}}?" if near else "known: " + ", ".join(values)
        raise UsageError(f"unknown placeholder {{{name}}} in {text!r}", evidence=hint)

    return _FIELD.sub(value, text)
