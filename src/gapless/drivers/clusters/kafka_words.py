"""How people are told of brokers and partitions of Kafka."""

from __future__ import annotations

from collections.abc import Collection

_SHOWN = 5
METADATA = "the metadata"
"""Where a finding is that is about no broker alone."""


def called(name: str) -> str:
    """A broker."""
    return f"broker {name}"


def some(names: Collection[str], shown: int = _SHOWN) -> str:
    """The first of them by name, and how many more there are."""
    more = len(names) - shown
    return ", ".join(sorted(names)[:shown]) + (f" and {more:,} more" if more > 0 else "")


def counted(number: int, word: str) -> str:
    """``1 partition``, ``2 partitions``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
