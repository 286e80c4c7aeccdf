"""``exit-codes.md``: what each exit code promises."""

from __future__ import annotations

from docs.generators.markdown import code, page, table
from gapless.cli.exit_codes import MEANINGS, ExitCode
from gapless.report.outcome import EXIT_CODES, Outcome

_INTRO = """
An exit code is a promise. After a rollback it is never 0. A code that is not listed here means
failure. Nothing was changed with 2, 3 and 6.
"""


def generate() -> str:
    """The whole page."""
    rows = [(code(str(int(one))), MEANINGS[one], _outcomes(one)) for one in ExitCode]
    return page("Exit codes", _INTRO, table(("code", "meaning", "`outcome` in `--json`"), rows))


def _outcomes(number: int) -> str:
    return ", ".join(code(outcome.value) for outcome in Outcome if EXIT_CODES[outcome] == number)
