"""``variables:`` and ``secrets:`` — what templates are filled with, the general before the special.

1. project, then each of the host's groups in the order the host lists them, then the host, then the
   service: the later one wins, as with Ansible's group_vars, host_vars and play vars.
2. A later value replaces an earlier one whole, mappings too. Only an environment merges: it is laid
   over the file before any of this, place by place.
3. What is so anyhow (host, zone, release …) has names that no variable can take.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gapless.config.base import Section
from gapless.config.quantities import Secret

FACTS = (
    "project", "environment", "service", "host", "name", "address", "zone", "groups", "release",
)  # fmt: skip
"""What every template knows without being told."""
SECRETS = "secrets"
"""Under this name templates find secrets."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JINJA = frozenset(
    ("true", "false", "none", "loop", "self", "super", "caller", "varargs", "kwargs")
)


def _named(table: dict[str, Any]) -> dict[str, Any]:
    for name in table:
        if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.lower() in _JINJA:
            raise ValueError(f"'{name}' cannot be a name in a template: letters, digits and _")
    return table


def _free(table: dict[str, Any]) -> dict[str, Any]:
    for name in table:
        if name in FACTS or name == SECRETS:
            raise ValueError(f"'{name}' is known to every template already; use another name")
    return _named(table)


Variables = Annotated[dict[str, Any], AfterValidator(_free)]
"""Values by name: text, numbers, booleans, null, lists and mappings."""
Secrets = Annotated[dict[str, Secret], AfterValidator(_named)]
"""References by name."""


class HostGroupConfig(Section):
    """What the hosts of one group have in common; hosts say themselves which groups they are in."""

    variables: Variables = Field(default_factory=dict)
    """Values that templates on its hosts are filled with; they win over the project's."""
    secrets: Secrets = Field(default_factory=dict)
    """Secret references that templates on its hosts find as ``secrets.NAME``."""


def layered(levels: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
    """All of them as one; the later wins."""
    found: dict[str, Any] = {}
    for level in levels:
        found.update(level)
    return found
