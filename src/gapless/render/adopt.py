"""What ``gapless run adopt`` tells besides the drop-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.render.layout import WIDTH, head, labelled, screen


def render_written(unit: str, path: str, width: int = WIDTH) -> str:
    """The file is there and systemd has read it."""
    return screen([*head("✓", f"{unit} is under gapless run from its next start on", "", width),
                   *labelled("file", path, width)])  # fmt: skip


def render_already(unit: str, width: int = WIDTH) -> str:
    """It was written before, just so."""
    return screen(head("✓", f"{unit} is adopted already; nothing to change", "", width))


def render_undone(unit: str, path: str, width: int = WIDTH, *, removed: bool) -> str:
    """The file is gone, or was not there."""
    if not removed:
        return screen(head("✓", f"Nothing to undo: there is no {path}", "", width))
    return screen([*head("✓", f"{unit} is its own again from its next start on", "", width),
                   *labelled("next", f"systemctl restart {unit}", width)])  # fmt: skip


def render_remarks(unit: str, remarks: Sequence[str], *, written: bool, width: int = WIDTH) -> str:
    """What to know of it, and the next command."""

    def lines() -> Iterator[str]:
        for remark in remarks:
            yield from labelled("note", remark, width)
        if written:
            yield from labelled("next", f"systemctl restart {unit}; then: systemctl reload {unit}")
        else:
            yield from labelled("next", f"gapless run adopt {unit} … --write", width)

    return screen(lines())
