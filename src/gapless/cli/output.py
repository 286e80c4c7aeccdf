"""Results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from gapless.cli.spelling import spelled_error
from gapless.errors import GaplessError
from gapless.render.layout import WIDTH
from gapless.render.output import Output


def width() -> int:
    """Columns of the terminal or of $COLUMNS, within what reads well; else always the same."""
    if not (sys.stdout.isatty() or "COLUMNS" in os.environ):
        return WIDTH
    return max(60, min(120, shutil.get_terminal_size((WIDTH, 24)).columns))


def table_width() -> int:
    """Columns a table may take: those of a terminal; 0, as many as it needs, in a pipe."""
    return width() if sys.stdout.isatty() or "COLUMNS" in os.environ else 0


def result(text: str) -> Output:
    """Print a result; the output tells whether anybody still reads."""
    output = Output(sys.stdout)
    output.write(text)
    return output


def result_json(data: Any) -> None:
    """Print one JSON document."""
    result(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def note(text: str) -> None:
    """Tell the person something that is not the result."""
    Output(sys.stderr).write(text)


def complain(error: GaplessError, *, as_json: bool = False) -> None:
    """Render an error; for programs also as JSON."""
    from gapless.render.error import error_json, render_error

    error = spelled_error(error)
    note(render_error(error, width()))
    if as_json:
        result_json(error_json(error))
