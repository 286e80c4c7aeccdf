"""Names of signals, as ``kill -l`` prints them."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from gapless.config.problems import did_you_mean

NAMES: Mapping[str, int] = {one.name.removeprefix("SIG"): int(one) for one in signal.Signals}
"""HUP, TERM …; the real-time ones between RTMIN and RTMAX are written RTMIN+3."""

UNTOUCHABLE = frozenset((signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD))
"""The first two nobody can catch; CHLD tells the supervisor about its own children."""


def parse_signal(value: Any) -> int:
    """The number of ``HUP``, ``SIGHUP``, ``RTMIN+3`` or 1."""
    text = str(value).strip().upper().removeprefix("SIG")
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not text:
        raise ValueError("write the name of a signal, for example HUP")
    number = int(text) if text.isascii() and text.isdigit() else _named(text)
    if number not in signal.valid_signals():
        hint = did_you_mean(text, NAMES) or "kill -l lists them"
        raise ValueError(f"unknown signal '{value}' — {hint}")
    return number


def _named(text: str) -> int:
    base, plus, offset = text.partition("+")
    if plus and base == "RTMIN" and offset.isascii() and offset.isdigit():
        return NAMES[base] + int(offset)
    return NAMES.get(text, 0)


def signal_name(number: int) -> str:
    """``HUP``, or the number where it has no name."""
    return next((name for name, known in NAMES.items() if known == number), str(number))


def parse_catchable(value: Any) -> int:
    """A signal that can be received and passed on."""
    number = parse_signal(value)
    if number in UNTOUCHABLE:
        why = (
            "the supervisor needs it for its own children"
            if number == signal.SIGCHLD
            else "no program can catch it"
        )
        raise ValueError(f"{signal_name(number)} is not possible: {why}")
    return number


def parse_replacement(value: Any) -> int:
    """What is sent instead of a signal; 0 when nothing is."""
    return 0 if value == "ignore" else parse_catchable(value)
