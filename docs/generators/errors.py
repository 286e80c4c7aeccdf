"""``errors.md``: the error tree with codes, exit codes, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import gapless.engine.perform
from docs.generators.markdown import code, page, prose, table
from gapless.errors import FailureKind, GaplessError, StepError, TransportError
from gapless.render.codes import ADVICE, GUIDES

assert gapless.engine.perform.UndoRequested.code  # it defines the one error outside errors.py

_INTRO = """
Every error says what happened, where, the evidence, and the next command. Its code does not change
between versions. With `--json` the same fields are in `error`.

Errors of steps and transports have no exit code of their own while a rollout runs: the outcome of
the rollout has one ([exit codes](exit-codes.md)).
"""


def generate() -> str:
    """The whole page."""
    rows = [_row(error) for error in errors()]
    kinds = ", ".join(code(kind.value) for kind in FailureKind)
    return page(
        "Errors",
        _INTRO,
        "## Tree\n\n```text\n" + "\n".join(_tree(GaplessError, "", "")) + "\n```",
        "## Codes\n\n" + table(("code", "name", "exit code", "meaning", "what to do"), rows),
        f"## Kinds of failure\n\nA failed step has a kind, counted and shown apart: {kinds}.",
    )


def errors() -> list[type[GaplessError]]:
    """Every class with a code of its own, in the order of codes."""
    found = {GaplessError, *_below(GaplessError)}
    return sorted((error for error in found if "code" in vars(error)), key=lambda e: e.code)


def _below(error: type[GaplessError]) -> Iterator[type[GaplessError]]:
    for child in error.__subclasses__():
        yield child
        yield from _below(child)


def _row(error: type[GaplessError]) -> tuple[str, ...]:
    through = issubclass(error, (StepError, TransportError))
    exit_code = "of the rollout" if through else code(str(error.exit_code))
    about = prose((error.__doc__ or "").split(";")[0]).rstrip(".")
    advice = _link(error.code, ADVICE[error.code])
    return code(error.code), code(error.__name__), exit_code, about, advice


def _link(number: str, advice: str) -> str:
    guide = GUIDES.get(number)
    return f"{advice} [More](../{guide})." if guide else advice


def _tree(error: type[GaplessError], lead: str, branch: str) -> Iterator[str]:
    yield f"{lead}{branch}{error.__name__:<{max(1, 30 - len(lead + branch))}}{error.code}".rstrip()
    children = [child for child in error.__subclasses__() if "code" in vars(child)]
    children.sort(key=lambda child: child.code)
    inside = lead + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    for child in children:
        yield from _tree(child, inside, "└── " if child is children[-1] else "├── ")
