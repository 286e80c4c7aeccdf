"""The entry point, and the only place that turns errors into words and exit codes."""

from __future__ import annotations

import sys

from gapless.cli import early

early.hold_signals(sys.argv)
early.collect_seldom()

# ruff: noqa: E402 - what follows takes time
import errno
import os
import select
from collections.abc import Sequence
from typing import NoReturn

import click

from gapless.cli.exit_codes import ExitCode
from gapless.cli.group import cli
from gapless.errors import GaplessError, UsageError


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code, at once: by then everything is closed, and
    an interpreter that takes itself apart only keeps who waits for us."""
    code = run(argv)
    sys.stderr.flush()
    os._exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _command(words)
        sys.stdout.flush()
    except BrokenPipeError as error:
        if not _nobody_reads():
            return _failed(error, words)
        _close_stdout()
        return ExitCode.DONE  # whoever read has seen enough; results are written otherwise
    return code


def _command(words: list[str]) -> int:
    try:
        result = cli.main(args=words, prog_name="gapless", standalone_mode=False)
        return int(result or 0)
    except click.Abort:
        return _left()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        return _failed(_usage(error), words)
    except KeyboardInterrupt:
        return _left()
    except BrokenPipeError:
        raise
    except SystemExit as end:
        if end.code == 1:  # click's own answer to a broken pipe, whichever it was
            raise BrokenPipeError(errno.EPIPE, "a pipe broke") from end
        raise
    except Exception as error:
        return _failed(error, words)


def _failed(error: Exception, words: list[str]) -> int:
    found = known(error)
    if found is None:
        return _bug(error, words)
    from gapless.cli.output import complain

    complain(found, as_json="--json" in words)
    return found.exit_code


def _usage(error: click.ClickException) -> UsageError:
    """What click has to say, with the same look as everything else."""
    what = error.format_message().rstrip(".")
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    return UsageError(what, next=f"{ctx.command_path if ctx else 'gapless'} --help")


def known(error: BaseException) -> GaplessError | None:
    """The error raised on purpose, also out of a group of tasks that failed together."""
    if isinstance(error, GaplessError):
        return error
    if isinstance(error, BaseExceptionGroup):
        inner = [known(one) for one in error.exceptions]
        return next((one for one in inner if one is not None), None) if all(inner) else None
    return None


def _bug(error: Exception, words: list[str]) -> int:
    from gapless.cli.bugreport import write_report

    path = write_report(error, words)
    where = f"details: {path}" if path else "the details could not be written"
    sys.stderr.write(f"✗  A bug in gapless: {type(error).__name__}: {error}\n   {where}\n")
    if not path:
        import traceback

        traceback.print_exception(error)
    return ExitCode.BUG


def _left() -> int:
    sys.stderr.write("\n")
    return ExitCode.INTERRUPTED


def _nobody_reads() -> bool:
    """Whether the reader of our output went away; other pipes break, too."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _close_stdout() -> None:
    """So that the interpreter does not complain about the pipe when it ends."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
