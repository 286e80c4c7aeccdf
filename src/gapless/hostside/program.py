"""A program of ours in a fork of this process: an interpreter of its own takes 25 ms to start.

Only a process that has one thread may do that: what another thread held at the fork, a lock say,
nobody would ever let go.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_MOST_DESCRIPTORS = 1 << 16
_UNTOLD = 120
"""As Python ends when what it printed cannot be written."""


def becoming(text: bytes, words: Sequence[str], environment: dict[str, str]) -> Callable[[], None]:
    """What Popen calls in the child in place of what it would execute; ``words`` is the program's
    ``sys.argv``. Streams, folder and session are those of the child already."""

    def become() -> None:
        status = 1
        try:
            _be_alone(words, environment)
            status = _outcome(text)
        finally:
            os._exit(status)

    return become


def _be_alone(words: Sequence[str], environment: dict[str, str]) -> None:
    # Popen waits until its own pipe to the child is closed, as it would be by a new program.
    os.closerange(3, _MOST_DESCRIPTORS)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python has it from its start
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words


def _outcome(text: bytes) -> int:
    """Run it as Python runs what it is given, and tell the exit status."""
    status = 0
    try:
        known: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(text, "<stdin>", "exec", dont_inherit=True), known)  # noqa: S102
    except SystemExit as over:
        status = _status_of(over.code)
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or _UNTOLD
    return status


def _status_of(code: Any) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1
