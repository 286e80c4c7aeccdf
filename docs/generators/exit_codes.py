"""``exit-codes.md``: what each exit code promises."""

from __future__ import annotations

from docs.generators.markdown import code, page, table
from gapless.cli.exit_codes import MEANINGS, ExitCode
from gapless.report.outcome import EXIT_CODES, Outcome

_INTRO = """
An exit code is a promise. After a rollback it is never 0. A code that is not listed here means
failure. Nothing was changed with 2, 3 and 6.
"""

_OF_RUN = """
## gapless run

`gapless run` ends as the program does: with its exit code, and with 128 + n when it was killed by
signal n. Until the first copy serves it may also end with codes of its own, and standard error says
why:
"""
_RUN = (
    ("1", "the first copy was not ready in time, failed its check, or ended with 0 too early"),
    ("2", "the command line or the run file is wrong"),
    (
        "3",
        "refused, nothing was started: an address cannot be listened on, the name is supervised "
        "already, the folder of $GAPLESS_RUN_DIR cannot be used",
    ),
    ("126", "the program cannot be executed, or its user, folder or limits cannot be had"),
    ("127", "the program, or the folder it is to start in, is not there"),
    ("130, 131, 143", "INT, QUIT or TERM came before anything was started"),
)


def generate() -> str:
    """The whole page."""
    rows = [(code(str(int(one))), MEANINGS[one], _outcomes(one)) for one in ExitCode]
    codes = table(("code", "meaning", "`outcome` in `--json`"), rows)
    own = table(("code", "meaning"), [(code(number), meaning) for number, meaning in _RUN])
    return page("Exit codes", _INTRO, codes, _OF_RUN, own)


def _outcomes(number: int) -> str:
    return ", ".join(code(outcome.value) for outcome in Outcome if EXIT_CODES[outcome] == number)
