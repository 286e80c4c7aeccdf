"""Small words used on every screen: numbers with units, host ranges, moments, safe text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from gapless.model import AS_IT_WAS, NOT_INSTALLED

_NUMBERED = re.compile(r"^([^.]*?)(\d+)([^.\d]*(?:\..*)?)$")
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "→": "->", "—": "-", "…": "~", "·": ".", "≥": ">=", "≤": "<=", "‖": "="}
    | {"├": "|", "└": "`", "█": "#", "░": ".", "▶": ">", "↩": "<"}
)


def clean(text: str) -> str:
    """Text from elsewhere (answers, logs) without what a terminal would obey."""
    return _UNSAFE.sub("�", text.replace("\t", "    "))


def ascii_only(text: str) -> str:
    """For terminals and pipes that cannot show our few marks."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()


def plural(number: int, noun: str, many: str = "") -> str:
    """``1 host``, ``4 hosts``; thousands are separated."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def percent(share: float) -> str:
    """``5 %``, ``0.5 %``."""
    return f"{100 * share:.3g} %"


def back_to(version: str) -> str:
    """Where something went back to, after "back" or "restored"."""
    return version if version in (AS_IT_WAS, NOT_INSTALLED) else f"on {version}"


def seconds(value: float) -> str:
    """``12 ms``, ``2.1 s``, ``30 s``, ``1 min 30 s``, ``2 h 5 min``."""
    if value < 0.9995:
        return f"{round(value * 1000)} ms"
    if value < 10 and abs(value - round(value)) >= 0.05:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 86400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return _two(whole // 86400, "d", whole % 86400 // 3600, "h")


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first} {unit} {second} {smaller}" if second else f"{first} {unit}"


def about(value: float) -> str:
    """A duration that is only a guess, rounded to what it is worth."""
    if value >= 3600:
        value = round(value / 300) * 300
    elif value >= 600:
        value = round(value / 60) * 60
    elif value >= 60:
        value = round(value / 10) * 10
    return f"about {seconds(max(1.0, round(value)))}"


def clock_time(ts: float) -> str:
    """Time of day where the person sits."""
    return time.strftime("%H:%M:%S", time.localtime(ts))


def moment(ts: float) -> str:
    """Date and time of day where the person sits."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts)) if ts else "-"


def ago(ts: float, now: float) -> str:
    """How long since."""
    return f"{seconds(max(0.0, round(now - ts)) or 1)} ago" if ts else "-"


LISTED = 40
"""Names and ranges of hosts that are left alone; all of them are in --json."""


def hosts(names: Iterable[str], limit: int = 8) -> str:
    """Host names with runs of numbers as the ranges gapless.yaml uses: ``web[1:3] db1``."""
    pieces = _pieces(tuple(names))
    shown = " ".join(text for text, _ in pieces[:limit])
    rest = sum(count for _, count in pieces[limit:])
    return f"{shown} … and {rest:,} more" if rest else shown


def in_order(name: str) -> tuple[str, int, str]:
    """What host names are sorted by: web2 comes before web10."""
    match = _NUMBERED.match(name)
    return (match[1], int(match[2]), match[3]) if match else (name, 0, "")


def _pieces(names: Sequence[str]) -> list[tuple[str, int]]:
    """Ranges and single names, in order of first appearance of their family."""
    families: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(names):
        families.setdefault(_family(name), []).append(name)
    return [
        piece for family, members in families.items() for piece in _family_pieces(family, members)
    ]


def _family(name: str) -> tuple[str, ...]:
    """Names of a family differ in one number only."""
    match = _NUMBERED.match(name)
    return (match[1], match[3]) if match else (name,)


def _family_pieces(family: tuple[str, ...], members: list[str]) -> list[tuple[str, int]]:
    if len(family) == 1 or len(members) == 1:
        return [(name, 1) for name in members]
    before, after = family
    digits = sorted((m[len(before) : len(m) - len(after)] for m in members), key=_rank)
    return [piece for run in _runs(digits) for piece in _run_pieces(before, after, run)]


def _rank(digits: str) -> tuple[int, str]:
    return int(digits), digits


def _runs(digits: Iterable[str]) -> list[list[str]]:
    """Numbers that follow each other, written alike: 9 10, or 09 10, but not 9 and 09."""
    runs: list[list[str]] = []
    for number in digits:
        if runs and _follows(runs[-1][-1], number):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _follows(one: str, other: str) -> bool:
    alike = len(one) == len(other) or not (one.startswith("0") or other.startswith("0"))
    return alike and int(other) == int(one) + 1


def _run_pieces(before: str, after: str, run: list[str]) -> list[tuple[str, int]]:
    if len(run) < 3:
        return [(f"{before}{digits}{after}", 1) for digits in run]
    return [(f"{before}[{run[0]}:{run[-1]}]{after}", len(run))]
