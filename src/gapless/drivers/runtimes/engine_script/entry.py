"""One question or order, as the words of a command line."""

from __future__ import annotations

import os
import sys

from gapless.hostside.container_engine import Engine
from gapless.hostside.faults import Fault
from gapless.hostside.labels import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def split(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What is before and after the two dashes."""
    at = words.index("--")
    return words[:at], words[at + 1 :]


def labels_of(words: Sequence[str]) -> dict[str, str]:
    """From NAME=VALUE; who asked is in our own environment."""
    named = dict(word.split("=", 1) for word in words)
    rollout = os.environ.get("GAPLESS_ROLLOUT")
    return {**named, OWN + "rollout": rollout} if rollout else named


def run(orders: Mapping[str, Callable[..., str]]) -> None:
    """``VERB SOCKET WORD...``; what came of it is printed, what was refused is told on stderr."""
    verb, path, *words = sys.argv[1:]
    try:
        print(orders[verb](Engine(path), *words))
    except (Fault, OSError) as error:
        sys.exit(str(error) or type(error).__name__)
