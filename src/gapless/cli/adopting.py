"""What ``gapless run adopt`` does."""

from __future__ import annotations

from gapless.cli import drop_in, drop_in_file, units
from gapless.cli.drop_in import Wish
from gapless.cli.objections import objections
from gapless.cli.output import note, result, width
from gapless.config import compiling
from gapless.errors import Refused
from gapless.render.adopt import render_already, render_remarks, render_undone, render_written

_FORM = "1"
"""Of the drop-in; another one when what is written changes."""


def adopt(text: str, wish: Wish, *, write: bool) -> None:
    """Print the drop-in, or write it. Raises Refused with every reason, or UsageError."""
    name = units.unit_name(text)
    compiling.compile_words(wish.listen, ["true"], "adopted", wish.ready, wish.settle)
    unit = units.read(name)
    if unit.fact("NeedDaemonReload") == "yes":
        raise Refused(
            f"systemd has not read {unit.name} since it changed", next="systemctl daemon-reload"
        )
    if str(drop_in_file.path_of(unit.name)) in unit.files and drop_in_file.read(unit.name):
        _again(unit, wish, write=write)
        return
    _allowed(unit)
    words = drop_in_file.sealed(
        unit.name, drop_in.body_of(unit, wish, drop_in.ourselves()), _made_of(unit, wish)
    )
    remarks = [*drop_in.remarks(unit, wish)]
    if write:
        path = drop_in_file.write(unit.name, words, unit.files)
        units.systemctl("daemon-reload")
        result(render_written(unit.name, str(path), width()))
    else:
        result(words)
    note(render_remarks(unit.name, remarks, written=write, width=width()))


def undo(text: str) -> None:
    """Remove the drop-in."""
    name = units.own_name(units.unit_name(text))
    removed = drop_in_file.remove(name)
    if removed:
        units.systemctl("daemon-reload")
    path = str(drop_in_file.path_of(name))
    result(render_undone(name, path, width(), removed=removed))


def _again(unit: units.Unit, wish: Wish, *, write: bool) -> None:
    """It is there already: what systemd tells of the unit is what we made of it, so that nothing is
    made of that once more."""
    there = drop_in_file.read(unit.name)
    if not drop_in_file.intact(there, _made_of(unit, wish)):
        raise Refused(
            f"{unit.name} is adopted already, but not like this: the unit, these options or "
            "gapless have changed since",
            next=f"gapless run adopt --undo {unit.name}, and adopt it anew",
        )
    result(render_already(unit.name, width()) if write else there)


def _made_of(unit: units.Unit, wish: Wish) -> list[str]:
    own = unit.without(str(drop_in_file.path_of(unit.name)))
    return [_FORM, own, repr(unit.sockets), repr(wish), *drop_in.ourselves()]


def _allowed(unit: units.Unit) -> None:
    reasons = [*objections(unit)]
    later = [path for path in unit.files if path.rpartition("/")[2] > drop_in_file.NAME]
    reasons += [
        f"{path} is read after {drop_in_file.NAME}: give it another name"
        for path in later
        if path != unit.fact("FragmentPath")
    ]
    if reasons:
        raise Refused(
            f"{unit.name} cannot be put under gapless run", evidence="\n".join(reasons),
            next=f"systemctl cat {unit.name}",
        )  # fmt: skip
