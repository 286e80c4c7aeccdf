"""What changes in configuration files: on a screen as much as one reads, all of it on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gapless.plans import Plan, ServicePlan
from gapless.render.layout import cut, wrap
from gapless.render.spelling import spelled
from gapless.render.words import clean, hosts, plural

FILES = 4
"""Different changes shown per service before the rest is counted."""
LINES = 14
"""Lines of one diff shown before the rest is counted."""
_LABEL = "            config    "
_INDENT = " " * len(_LABEL)


def config_lines(service: ServicePlan, plan: Plan, width: int, *, whole: bool) -> Iterator[str]:
    """Each change once, with its hosts; ``whole`` leaves nothing out."""
    changes = service.config_changes
    shown = changes if whole else changes[:FILES]
    for change in shown:
        yield from _change(change, width, whole=whole)
    if len(shown) < len(changes) or (not whole and any(_long(one) for one in shown)):
        left = len(changes) - len(shown)
        more = f"{plural(left, 'more change')}; " if left else ""
        command = spelled(f"gapless plan {plan.verb.value} {_named(service, plan)} --diff")
        yield f"{_LABEL}{more}all of it: {command}"


def _named(service: ServicePlan, plan: Plan) -> str:
    """What this very plan is made for."""
    return plan.parent or service.name


def _change(change: Mapping[str, Any], width: int, *, whole: bool) -> Iterator[str]:
    lines = change["lines"]
    counts = [sum(line.startswith(sign) for line in lines) for sign in "+-"]
    size = f" +{counts[0]} -{counts[1]}" if lines else ""
    told = "; ".join(clean(note) for note in change["notes"])
    head = f"{change['file']} on {hosts(change['hosts'])}:{size}"
    first, *rest = wrap(f"{head}{'; ' if size and told else ' '}{told}".rstrip(), width - 22)
    yield f"{_LABEL}{first}"
    yield from (f"{_INDENT}{line}" for line in rest)
    few = lines if whole else lines[:LINES]
    for line in few:
        text = f"{_INDENT}  {clean(line)}".rstrip()
        yield text if whole else cut(text, width)
    if len(few) < len(lines):
        yield f"{_INDENT}  … {plural(len(lines) - len(few), 'more line')}"


def _long(change: Mapping[str, Any]) -> bool:
    return len(change["lines"]) > LINES
