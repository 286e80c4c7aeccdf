"""What ``gapless run adopt`` does."""

from __future__ import annotations

from gapless.cli import drop_in, units
from gapless.cli.drop_in import Wish
from gapless.cli.output import note, result, width
from gapless.config import compiling
from gapless.errors import Refused
from gapless.render.adopt import render_remarks, render_undone, render_written


def adopt(text: str, wish: Wish, *, write: bool) -> None:
    """Print the drop-in, or write it. Raises Refused with every reason, or UsageError."""
    name = units.unit_name(text)
    compiling.compile_words(wish.listen, ["true"], "adopted", wish.ready, wish.settle)
    unit = units.read(name)
    _allowed(unit)
    words = drop_in.text_of(unit, wish, drop_in.ourselves())
    remarks = [*drop_in.remarks(unit, wish)]
    if write:
        path = drop_in.write(name, words)
        units.systemctl("daemon-reload")
        result(render_written(name, str(path), width()))
    else:
        result(words)
    note(render_remarks(name, remarks, written=write, width=width()))


def undo(text: str) -> None:
    """Remove the drop-in."""
    name = units.unit_name(text)
    removed = drop_in.remove(name)
    if removed:
        units.systemctl("daemon-reload")
    result(render_undone(name, str(drop_in.path_of(name)), width(), removed=removed))


def _allowed(unit: units.Unit) -> None:
    drop_ins = unit.fact("DropInPaths").split()
    if any(path.endswith(f"/{drop_in.NAME}") for path in drop_ins):
        raise Refused(
            f"{unit.name} is adopted already", next=f"gapless run adopt --undo {unit.name}"
        )
    if unit.fact("NeedDaemonReload") == "yes":
        raise Refused(
            f"systemd has not read {unit.name} since it changed", next="systemctl daemon-reload"
        )
    reasons = [*drop_in.objections(unit)]
    later = [path for path in drop_ins if path.rpartition("/")[2] > drop_in.NAME]
    reasons += [f"{path} is read after {drop_in.NAME}: give it another name" for path in later]
    if reasons:
        raise Refused(
            f"{unit.name} cannot be put under gapless run", evidence="\n".join(reasons),
            next=f"systemctl cat {unit.name}",
        )  # fmt: skip
