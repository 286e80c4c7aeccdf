"""``errors.md``: the error tree with codes, exit codes, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import gapless.engine.perform
from docs.generators.markdown import code, page, prose, table
from gapless.errors import FailureKind, GaplessError, StepError, TransportError

assert gapless.engine.perform.UndoRequested.code  # it defines the one error outside errors.py

REMEDIES = {
    "GL-100": "read the message; every other error is one of those below",
    "GL-101": "read the usage line; `gapless VERB --help`",
    "GL-102": "mend each line that is listed, then `gapless check`",
    "GL-201": "read the reason; nothing was changed",
    "GL-202": "`gapless doctor`; mend the instance, or see [force](../how-to/force.md)",
    "GL-203": "make a new plan: `gapless plan -o FILE`",
    "GL-204": "mend the instances that are out, or raise `rollout.max_unavailable`",
    "GL-205": "give `migrate.down`, or go forward with a new release",
    "GL-301": "wait, or see [locks](../how-to/locks.md)",
    "GL-401": "read the evidence on the failure screen",
    "GL-402": "see [health check failing](../how-to/troubleshooting.md#health-check-failing)",
    "GL-403": "see [service won't start](../how-to/troubleshooting.md#service-wont-start)",
    "GL-404": "run the command that is shown by hand on the host",
    "GL-405": "see [migration failed](../how-to/troubleshooting.md#migration-failed)",
    "GL-406": "look at the balancer's own view, which is printed as evidence",
    "GL-407": "see [rollback failed](../how-to/troubleshooting.md#rollback-failed)",
    "GL-408": "nothing: it was asked for",
    "GL-501": "`gapless doctor`",
    "GL-502": "check address, port and network; `gapless doctor --hosts HOST`",
    "GL-503": "verify the key with the host's owner, then [pin it](../how-to/ssh.md)",
    "GL-504": "check user and key: [SSH](../how-to/ssh.md)",
    "GL-505": "install the [sudoers file](../how-to/sudo.md)",
    "GL-506": "`gapless resume ROLLOUT` when the host is back",
    "GL-507": "look why the host is slow; raise the limit that is named",
    "GL-508": "nothing: a newer rollout acts; `gapless lock` names it",
    "GL-509": "mend what the host says (disk full, read-only file system, no such file)",
    "GL-601": "check the disk and the rights of the journal's folder",
}

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
    return code(error.code), code(error.__name__), exit_code, about, REMEDIES[error.code]


def _tree(error: type[GaplessError], lead: str, branch: str) -> Iterator[str]:
    yield f"{lead}{branch}{error.__name__:<{max(1, 30 - len(lead + branch))}}{error.code}".rstrip()
    children = [child for child in error.__subclasses__() if "code" in vars(child)]
    children.sort(key=lambda child: child.code)
    inside = lead + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    for child in children:
        yield from _tree(child, inside, "└── " if child is children[-1] else "├── ")
