"""The program: ``--pidfile FILE [--wait SECONDS] [--quiet] -- COMMAND …``."""

from __future__ import annotations

import os
import signal
import sys
import types

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

# The package's own front door is for those who call it from Python, and would load what they need.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.modules["gapless"] = types.ModuleType("gapless")
sys.modules["gapless"].__path__ = [_PACKAGE]

from gapless.supervisor.pidwatch.saying import complain, impossible  # noqa: E402
from gapless.supervisor.pidwatch.stop import Stop  # noqa: E402
from gapless.supervisor.pidwatch.wanted import parsed  # noqa: E402
from gapless.supervisor.pidwatch.watching import watch  # noqa: E402


def main(words: list[str]) -> int:
    """Returns the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take exit statuses away
    try:
        return watch(parsed(words))
    except Stop as stop:
        return complain(stop)
    except OSError as error:
        return complain(impossible(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
