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

_JINJA = frozenset(
    ("true", "false", "none", "loop", "self", "super", "caller", "varargs", "kwargs")
)


def _named(name: str) -> str:
    why = ""
    if keyword.iskeyword(name) or name.lower() in _JINJA:
        why = "it is a word of their language"
    elif re.match(r"[0-9]", name):
        why = "it begins with a digit"
    elif not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        why = "letters, digits and _ make one"
    if why:
        raise ValueError(f"cannot be a name in templates: {why}")
    return name


def _free(name: str) -> str:
    if name in FACTS or name == SECRETS:
        raise ValueError("is known to every template already; use another name")
    return _named(name)


Variables = dict[Annotated[str, AfterValidator(_free)], Any]
"""Values by name: text, numbers, booleans, null, lists and mappings."""
Secrets = dict[Annotated[str, AfterValidator(_named)], Secret]
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
