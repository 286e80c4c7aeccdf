"""An error in words: what, where, evidence, next."""

from __future__ import annotations

from gapless.errors import ConfigError, GaplessError, LockHeld, Refused
from gapless.render.layout import INDENT, WIDTH, following, head, labelled, screen, wrap
from gapless.render.spelling import spelled
from gapless.render.words import clean


def render_error(error: GaplessError, width: int = WIDTH) -> str:
    """The screen of an error that ended the command."""
    if isinstance(error, ConfigError):
        return screen(_config(error, width))
    lines = head("✗", error.what, error.code, width)
    for label, text in (("where", error.where), ("answer", error.evidence)):
        if text:
            lines += labelled(label, text, width)
    if error.next:
        lines += following(error.next, width)
    if isinstance(error, (Refused, LockHeld)):
        lines += ["", "Nothing was changed."]
    return screen(lines)


def error_json(error: GaplessError) -> dict[str, object]:
    """The same for programs."""
    return {
        "error": {
            "code": error.code,
            "what": error.what,
            "where": error.where,
            "evidence": error.evidence,
            "next": error.next,
            "problems": [
                {"file": p.file, "line": p.line, "column": p.column, "text": p.text, "hint": p.hint}
                for p in getattr(error, "problems", ())
            ],
        },
        "exit_code": error.exit_code,
    }


def _one_line(text: str) -> str:
    return clean(text.replace("\n", "\\n"))


def _config(error: ConfigError, width: int) -> list[str]:
    """Problems start in the first column, so that editors and terminals can jump to them."""
    lines: list[str] = []
    for problem in error.problems:
        place = f"{problem.file}:{problem.line}:{problem.column}: {_one_line(problem.text)}"
        lines.append(place)
        if problem.hint:
            hint = clean(spelled(problem.hint))
            lines += [INDENT + line for line in wrap(hint, width - len(INDENT))]
    return [*lines, *head("✗", error.what, error.code, width)]
