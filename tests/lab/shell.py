"""Running commands on the machine itself, with an error one can act upon."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class LabError(RuntimeError):
    """Something in the lab did not work; the message says what, and what the machine answered."""


def sh(
    argv: Sequence[str],
    *,
    timeout: float = 60.0,
    env: dict[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> str:
    """Run `argv` without a shell and without stdin, and return its stdout.

    Raises LabError, quoting the output, if it fails, does not exist or takes more than `timeout`
    seconds.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            pass_fds=pass_fds,
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]}: not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv)}: no end after {timeout:g} s") from error
    if done.returncode != 0:
        answer = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {answer}")
    return done.stdout
