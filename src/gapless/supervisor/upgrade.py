"""Becoming new code without ever being another process.

1. Before a flip: has our own code changed since it was loaded?
2. A separate process loads the new code and our state, and says so. If it cannot, the old code
   goes on, and the flip as well.
3. All signals are blocked, those already taken are written into the state, and the process replaces
   itself. What is pending stays pending; children, sockets and callers are inherited.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

VERSION = 2
"""Of the state."""
_FOLDER = os.path.dirname(os.path.abspath(__file__))
MAIN = f"{_FOLDER}/__main__.py"
PROGRAM = (sys.executable, "-I", "-S", MAIN)
LIMIT = 30.0
"""Seconds that the check may take."""


def signature() -> list[tuple[str, int, int]]:
    """What our code is: interpreter and modules, with time and size. Raises OSError while there is
    none: an upgrade takes it away before it puts the new one there."""
    files = [sys.executable, *sorted(e.path for e in os.scandir(_FOLDER) if e.name[-3:] == ".py")]
    found = []
    for file in files:
        try:
            seen = os.stat(file)
        except OSError:
            continue
        found.append((file, seen.st_mtime_ns, seen.st_size))
    return found


LOADED = signature()
"""Of the code that runs: this is read while it is imported."""


def stored(state: dict[str, Any]) -> int:
    """The state in memory that only descriptors lead to."""
    fd = os.memfd_create("gapless-state")
    text = json.dumps({"version": VERSION, **state}).encode()
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def read(fd: int) -> dict[str, Any]:
    """Raises ValueError when it is of a version that this code does not know."""
    size = os.fstat(fd).st_size
    data: dict[str, Any] = json.loads(os.pread(fd, size, 0))
    if data.get("version") != VERSION:
        raise ValueError(f"state of version {data.get('version')}, not {VERSION}")
    return data


def replace_process(state: dict[str, Any], fds: list[int]) -> NoReturn:
    """Become the new code; ``fds`` are taken along. Raises OSError, having changed nothing."""
    fd = stored(state)
    try:
        for one in (fd, *fds):
            os.set_inheritable(one, True)
        os.execv(PROGRAM[0], [*PROGRAM, "--state", str(fd)])
    except OSError:
        for one in fds:
            os.set_inheritable(one, False)
        os.close(fd)
        raise


def pair(good: str, before: str | None) -> str:
    """Two configurations as one text."""
    return json.dumps([good, before])


def paired(text: str) -> tuple[str, str | None]:
    """What ``pair`` made. Raises ValueError."""
    try:
        good, before = json.loads(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not a pair: {error}") from error
    if not isinstance(good, str) or not isinstance(before, str | None):
        raise ValueError("not a pair of configurations")
    return good, before
