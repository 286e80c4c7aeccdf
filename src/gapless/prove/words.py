"""What went wrong with a question, in the system's words."""

from __future__ import annotations

import os
import re
import socket

from gapless.prove.http import BrokenError

_NUMBERS = re.compile(r"\[Errno (\d+)\]")


def told(problem: OSError | BrokenError) -> str:
    """As the system words it; asyncio's own text hides the refusal, and tells one for every address
    of a name."""
    if isinstance(problem, ConnectionError) and problem.errno:
        return os.strerror(problem.errno)
    if isinstance(problem, socket.gaierror):
        return problem.strerror or "the name is not known"
    text = str(problem)
    numbers = sorted({int(number) for number in _NUMBERS.findall(text)})
    return "; ".join(map(os.strerror, numbers)) or text or type(problem).__name__
