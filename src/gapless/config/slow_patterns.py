"""Regular expressions that may take for ever: a repeated part that is nothing but a repetition.

``(a+)+b`` needs twice the time for each further "a" of a line that has no "b". ``([a-z]+-)*`` does
not, because something has to stand between. This finds the usual form of the mistake where it is
written; what it does not see is ended on the host, which gives each line a short time only.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?P<open>\((?:\?(?:P?<\w+>|[:=!]|<[=!]|[aiLmsux-]+:))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>[*+]|\{\d*,\})[?+]?|(?P<maybe>\?|\{0?,\d+\})[?+]?|(?P<times>\{\d+(?:,\d+)?\})[?+]?"
    r"|(?P<nothing>[\^$]|\\[bBAZ])|(?P<plain>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.)",
    re.DOTALL,
)
_NEEDED, _OPTIONAL, _ENDLESS = range(3)


class _Group:
    """An open group: where it begins, and the items of each of its branches."""

    def __init__(self, began: int) -> None:
        self.began = began
        self.branches: list[list[int]] = [[]]

    @property
    def items(self) -> list[int]:
        """Those of the branch that is read."""
        return self.branches[-1]

    @property
    def loose(self) -> bool:
        """Whether a branch has a repetition and nothing that must stand beside it."""
        return any(_ENDLESS in items and _NEEDED not in items for items in self.branches)


def trap(pattern: str) -> str:
    """The repeated group that is nothing but a repetition; "" when there is none."""
    groups, closed = [_Group(0)], None
    for part in _PART.finditer(pattern):
        kind = part.lastgroup
        if kind == "repeat" and closed is not None and closed.loose:
            return pattern[closed.began : part.end()]
        if kind == "close" and len(groups) > 1:
            closed = groups.pop()
            groups[-1].items.append(_ENDLESS if closed.loose else _NEEDED)
            continue
        _take(groups, kind or "", part.start())
        closed = None
    return ""


def _take(groups: list[_Group], kind: str, place: int) -> None:
    """One more part of the group that is open."""
    items = groups[-1].items
    if kind == "open":
        groups.append(_Group(place))
    elif kind == "bar":
        groups[-1].branches.append([])
    elif kind == "repeat" and items:
        items[-1] = _ENDLESS
    elif kind == "maybe" and items and items[-1] == _NEEDED:
        items[-1] = _OPTIONAL
    elif kind == "plain":
        items.append(_NEEDED)
