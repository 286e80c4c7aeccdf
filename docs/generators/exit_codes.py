"""``exit-codes.md``: what each exit code promises."""

from __future__ import annotations

from docs.generators.markdown import code, page, table
from gapless.report.outcome import EXIT_CODES, Outcome

_MEANING = {
    0: ("done, or nothing to do", "every instance of the plan is new and verified"),
    1: ("a bug in gapless, or its journal cannot be used", "read the message; report a bug"),
    2: ("the command line or the configuration is wrong", "nothing was changed"),
    3: ("refused", "nothing was changed; the reason and the remedy are printed"),
    4: ("failed", "the old version is restored and passed the same checks"),
    5: ("failed", "versions are mixed or something is not restored: a person is needed"),
    6: ("another rollout owns the service", "nothing was changed; who, since when and why"),
    7: ("paused", "waits for `gapless promote`, `gapless resume` or `gapless abort`"),
    10: ("`gapless plan --exit-code`: there is something to do", "never mixed up with an error"),
    130: ("interrupted", "the state is recorded; `gapless resume` or `gapless abort` goes on"),
}

_INTRO = """
An exit code is a promise. After a rollback it is never 0. A code that is not listed here means
failure.
"""


def generate() -> str:
    """The whole page."""
    rows = [(code(str(n)), first, then, _outcomes(n)) for n, (first, then) in _MEANING.items()]
    header = ("code", "meaning", "what holds then", "`outcome` in `--json`")
    return page("Exit codes", _INTRO, table(header, rows))


def _outcomes(number: int) -> str:
    missing = set(EXIT_CODES.values()) - set(_MEANING)
    if missing:
        raise ValueError(f"exit codes without words: {missing}")
    return ", ".join(code(outcome.value) for outcome in Outcome if EXIT_CODES[outcome] == number)
