"""What speaks against putting a unit under ``gapless run``."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from gapless.cli.drop_in import ourselves, parted
from gapless.cli.units import SOCKETS, Unit

_KINDS = ("simple", "exec", "idle", "notify", "notify-reload")
_OTHER_KINDS = {
    "forking": "the program goes into the background; start it in the foreground, or see "
    "gapless pidwatch",
    "oneshot": "it ends by itself, and nothing runs on that could be flipped",
    "dbus": "two copies cannot have its name on the bus",
}
_PREFIXES = {
    "@": "ExecStart=@… gives the program another name; gapless cannot: write it without @",
    "+": "ExecStart=+… runs with full privileges, and the unit's reload would not",
    "!": "ExecStart=!… runs with other privileges than the unit's reload",
}
_LEAVING = ("process", "none")


def objections(unit: Unit) -> Iterator[str]:
    """Every reason why it cannot be."""
    kind = unit.fact("Type")
    if kind not in _KINDS:
        yield f"Type={kind}: {_OTHER_KINDS.get(kind, 'gapless does not know it')}"
    yield from _ends(unit)
    yield from _commands(unit)
    yield from _surroundings(unit)
    yield from _sockets(unit)


def _ends(unit: Unit) -> Iterator[str]:
    if unit.fact("ExecStop"):
        yield (
            "ExecStop= would be asked at a stop, but not when an old copy ends: reset it, and say "
            "KillSignal= instead"
        )
    if (mode := unit.fact("KillMode")) in _LEAVING:
        yield f"KillMode={mode}: what it leaves running on purpose would end with its copy"


def _commands(unit: Unit) -> Iterator[str]:
    starts = unit.starts
    if len(starts) != 1:
        yield f"{len(starts)} commands in ExecStart=: one can be supervised"
        return
    prefix, command = parted(starts[0])
    yield from (text for mark, text in _PREFIXES.items() if mark in prefix)
    if re.search(r"(^|\s);(\s|$)", command):
        yield "several commands in one ExecStart=, with ; between: one can be supervised"
    if re.match(r"\S*/gapless(\s+\S+)?\s+run\b", command):
        yield "it runs under gapless already"


def _surroundings(unit: Unit) -> Iterator[str]:
    families = unit.fact("RestrictAddressFamilies").split()
    denies = families[:1] and families[0].startswith("~")
    listed = "AF_UNIX" in (family.lstrip("~") for family in families)
    if families and listed == bool(denies):
        yield "RestrictAddressFamilies= without AF_UNIX: gapless is spoken to over a unix socket"
    if unit.fact("RootDirectory") or unit.fact("RootImage"):
        yield "RootDirectory=, RootImage=: gapless is not in there"
    if unit.fact("ProtectHome") not in ("", "no", "read-only") and (at := _homes()):
        yield f"ProtectHome=: gapless is in {at}; install it elsewhere, for example in /opt"
    if (unit.fact("User") not in ("", "root") or unit.fact("DynamicUser") == "yes") and (
        closed := _closed()
    ):
        yield f"its user cannot read {closed}, where gapless is; install it elsewhere"


def _ours() -> Iterator[Path]:
    """What has to be read to start us: the command, the interpreter, the package."""
    for path in (Path(ourselves()[0]), Path(sys.executable), Path(__file__)):
        yield path
        yield path.resolve()


def _homes() -> str:
    homes = ("/home/", "/root/", "/run/user/")
    return next((str(path) for path in _ours() if str(path).startswith(homes)), "")


def _closed() -> str:
    for path in _ours():
        for folder in reversed(path.parents):
            with contextlib.suppress(OSError):
                if not folder.stat().st_mode & 0o001:
                    return str(folder)
    return ""


def _sockets(unit: Unit) -> Iterator[str]:
    if unit.accepts:
        yield "Accept=yes: its socket starts one process for each connection"
    for socket in unit.sockets:
        local = socket.address.startswith(("/", "@"))
        if socket.kind not in SOCKETS or (local and socket.kind != "Stream"):
            yield f"{socket.name}: {socket.kind} {socket.address} cannot be handed on"
