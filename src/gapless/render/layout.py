"""How screens are laid out: a head line, labelled blocks, aligned tables. Plain text only."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from gapless.render.spelling import spelled
from gapless.render.words import clean

_HARD = "\N{NO-BREAK SPACE}"
_ENDS = "or|and|then|with|on|to|if|when|where|for|in|is|was|shows?|—|→"
_COMMAND = re.compile(
    r"(?<![\w./-])(?:cd \S+ && )?(?:gapless|journalctl|systemctl|sudo|ssh|docker|ls)"
    rf"(?: (?!(?:{_ENDS})\b)(?:\$\([^()]*\)|'[^']*'|\"[^\"]*\"|[^\s;,()→—'\"]|,(?=\S))+)+"
)
"""A command in a sentence: from its program up to a word that is none of its arguments."""
WIDTH = 100
INDENT = "   "
LABEL = 8


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most ``width``; words longer than that (URLs) and commands stay whole."""
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", _HARD), text)
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_HARD, " ") for line in lines] or [""]


def head(mark: str, text: str, right: str = "", width: int = WIDTH) -> list[str]:
    """``✗  what happened …                GL-402``; never wraps away from its code."""
    room = width - len(INDENT) - (len(right) + 2 if right else 0)
    first, *rest = wrap(clean(text), room)
    line = f"{mark:<3}{first}"
    return [f"{line:<{width - len(right)}}{right}".rstrip(), *(INDENT + more for more in rest)]


def labelled(label: str, text: str, width: int = WIDTH) -> list[str]:
    """``   probe   text``, wrapped under itself. Lines of the text stay lines."""
    room = width - len(INDENT) - LABEL
    lines = [part for line in clean(text).splitlines() or [""] for part in wrap(line, room)]
    return block(label, lines)


def following(text: str, width: int = WIDTH, label: str = "next") -> list[str]:
    """``   next    command``, spelled as the person has to type it."""
    return labelled(label, spelled(text), width)


def block(label: str, lines: Iterable[str]) -> list[str]:
    """Lines under a label, as they are."""
    return [
        f"{INDENT}{label if number == 0 else '':<{LABEL}}{line}".rstrip()
        for number, line in enumerate(lines)
    ]


def cut(text: str, width: int) -> str:
    """At most ``width`` characters, and one can see that there was more."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: int = 0,
    spare: Sequence[str] = (),
) -> list[str]:
    """Aligned columns, two spaces apart. In ``width`` columns, when that is given, those named in
    ``spare`` are left out one after another until it fits; then the last is cut."""
    cells = [tuple(header), *(tuple(clean(cell) for cell in row) for row in rows)]
    for name in spare if width else ():
        if max(_length(cells)) <= width:
            break
        gone = cells[0].index(name)
        cells = [row[:gone] + row[gone + 1 :] for row in cells]
    header = cells[0]
    sizes = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(f"{c:<{s}}" for c, s in zip(row, sizes, strict=True)) for row in cells]
    return [cut(line.rstrip(), width) if width else line.rstrip() for line in lines]


def _length(cells: Sequence[Sequence[str]]) -> list[int]:
    """How long each line of a table would be."""
    sizes = [max(len(row[column]) for row in cells) for column in range(len(cells[0]) - 1)]
    return [sum(sizes) + 2 * len(sizes) + len(row[-1]) for row in cells]


def screen(lines: Iterable[str]) -> str:
    """The lines as one text that ends with a newline."""
    return "\n".join(lines) + "\n"
