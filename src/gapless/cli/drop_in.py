"""The drop-in that puts a unit under ``gapless run``: what speaks against it, what is in it, and
its file.

All that the unit says about users, limits, sandboxes, environment and restarts stays as it is. Its
limits for starting and stopping become those of each copy; systemd's own are wider, so that ours
strike first and the answer is true.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gapless.cli.units import SOCKETS, Unit
from gapless.config.quantities import format_duration, parse_duration
from gapless.config.signals import signal_name
from gapless.drivers.runtimes.systemd_view import span
from gapless.errors import Refused

NAME = "zz-gapless.conf"
"""The last of the drop-ins: they are read by name."""
FOLDER = Path("/etc/systemd/system")
MARK = "# Written by gapless run adopt."
FOREVER = "24h"
"""A copy's limit where systemd has none."""
_SETTLE = "2s"
_SLACK = 10.0
_TERM = 15
_CLEAN = (129, 130, 141, 143)
"""HUP, INT, PIPE, TERM: the ends by a signal that systemd takes for a success."""
_SIGNALLED = range(129, 160)
_KINDS = ("simple", "exec", "idle", "notify", "notify-reload")
_PREFIXES = {
    "@": "ExecStart=@… gives the program another name; gapless cannot: write it without @",
    "+": "ExecStart=+… runs with full privileges, and the unit's reload would not",
    "!": "ExecStart=!… runs with other privileges than the unit's reload",
}
_ABNORMAL = ("on-abnormal", "on-abort")


@dataclass(frozen=True)
class Wish:
    """What the person said besides the unit."""

    listen: tuple[str, ...] = ()
    ready: str = ""
    settle: str = ""


def path_of(unit: str) -> Path:
    """Where the drop-in of a unit is."""
    return FOLDER / f"{unit}.d" / NAME


def supervised_name(unit: str) -> str:
    """What gapless flip knows it by."""
    return re.sub(r"[^A-Za-z0-9._@-]", "-", unit.removesuffix(".service"))[:63]


def ourselves() -> tuple[str, ...]:
    """How systemd starts this very gapless."""
    called = Path(sys.argv[0])
    if called.name == "gapless" and os.access(called, os.X_OK):
        return (str(called.absolute()),)
    beside = Path(sys.executable).with_name("gapless")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("gapless")
    return (found,) if found else (sys.executable, "-m", "gapless")


# What speaks against it


def objections(unit: Unit) -> Iterator[str]:
    """Every reason why it cannot be."""
    kind = unit.fact("Type")
    if kind == "forking":
        yield (
            "Type=forking: the program goes into the background; start it in the foreground, or "
            "see gapless pidwatch"
        )
    elif kind not in _KINDS:
        yield f"Type={kind}: nothing that could be flipped runs on, or two copies cannot"
    yield from _commands(unit)
    yield from _surroundings(unit)
    yield from _sockets(unit)


def _commands(unit: Unit) -> Iterator[str]:
    if unit.fact("ExecStop"):
        yield (
            "ExecStop= would be asked at a stop, but not when an old copy ends: reset it, and say "
            "KillSignal= instead"
        )
    if len(unit.starts) != 1:
        yield f"{len(unit.starts)} commands in ExecStart=: one can be supervised"
        return
    prefix, command = parted(unit.starts[0])
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


# What is in it


def text_of(unit: Unit, wish: Wish, gapless: Sequence[str]) -> str:
    """The whole file."""
    return "\n".join([MARK, f"# To take it away: gapless run adopt --undo {unit.name}", "",
                      "[Service]", *_lines(unit, wish, gapless), ""])  # fmt: skip


def parted(command: str) -> tuple[str, str]:
    """The marks in front of a command, and the command."""
    rest = command.lstrip("-@:+!")
    return command[: len(command) - len(rest)], rest.strip()


def _lines(unit: Unit, wish: Wish, gapless: Sequence[str]) -> Iterator[str]:
    prefix, command = parted(unit.starts[0])
    ours = " ".join(map(quoted, gapless))
    start, stop = _limits(unit)
    settle = parse_duration(wish.settle or _SETTLE)
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield "PIDFile="
    yield "ExecStart="
    words = " ".join(map(quoted, _options(unit, wish)))
    yield f"ExecStart={prefix}{ours} run {words} -- {command}"
    yield "ExecReload="
    yield f"ExecReload={ours} flip --pid $MAINPID"
    yield "KillMode=mixed"
    yield "KillSignal=SIGTERM"
    if unit.fact("RestartKillSignal") not in ("", str(_TERM)):
        yield "RestartKillSignal=SIGTERM"
    yield "# a flip may wait for another one, and takes no longer than its limits"
    yield f"TimeoutStartSec={_systemd(2 * (start + settle + stop) + _SLACK)}"
    yield f"TimeoutStopSec={_systemd(stop + _SLACK)}"
    yield "# a program that was ended by signal n is told as 128 + n"
    yield f"SuccessExitStatus={' '.join(map(str, _CLEAN))}"
    if unit.fact("Restart") in _ABNORMAL:
        unclean = (str(code) for code in _SIGNALLED if code not in _CLEAN)
        yield f"RestartForceExitStatus={' '.join(unclean)}"
    yield "# listening sockets stay open while gapless itself is started again"
    yield f"FileDescriptorStoreMax={max(64, int(unit.fact('FileDescriptorStoreMax') or 0))}"
    yield from _folder(unit)


def _options(unit: Unit, wish: Wish) -> Iterator[str]:
    start, stop = _limits(unit)
    yield from ("--name", supervised_name(unit.name))
    for address in (*_handed_on(unit), *wish.listen):
        yield from ("--listen", address)
    if ready := wish.ready or ("notify" if unit.fact("Type").startswith("notify") else ""):
        yield from ("--ready", ready)
    if wish.settle:
        yield from ("--settle", wish.settle)
    settings = [f"start_timeout={_ours_of(start)}", f"stop.timeout={_ours_of(stop)}"]
    number = int(unit.fact("KillSignal") or _TERM)
    if number != _TERM:
        name = signal_name(number)
        settings += [f"stop.signal={name}", f"signals.TERM={name}"]
    for setting in settings:
        yield from ("--set", setting)


def _limits(unit: Unit) -> tuple[float, float]:
    """For starting and stopping, as systemd gave them to the program."""
    start, stop = (span(unit.fact(f"Timeout{which}USec") or "1min 30s") for which in _WHICH)
    return start or math.inf, stop or math.inf


_WHICH = ("Start", "Stop")


def _handed_on(unit: Unit) -> Iterator[str]:
    """The unit's own sockets, as ``NAME=ADDRESS``."""
    seen: dict[str, int] = {}
    for socket in unit.sockets:
        name = re.sub(r"[^A-Za-z0-9._@-]", "-", socket.name)
        seen[name] = seen.get(name, 0) + 1
        number = f"-{seen[name]}" if seen[name] > 1 else ""
        local = socket.address.startswith(("/", "@"))
        scheme = "unix" if local else SOCKETS[socket.kind]
        yield f"{name}{number}={scheme}://{socket.address}"


def _folder(unit: Unit) -> Iterator[str]:
    """Where gapless flip finds it: a folder of the unit's own user. The program is not to see that
    one in $RUNTIME_DIRECTORY."""
    own = [one.partition(":")[0] for one in unit.fact("RuntimeDirectory").split()]
    yield f"RuntimeDirectory=gapless/{supervised_name(unit.name)}"
    yield "Environment=GAPLESS_RUN_DIR=%t/gapless"
    if own:
        yield f'Environment="RUNTIME_DIRECTORY={":".join(f"%t/{one}" for one in own)}"'
    else:
        yield "UnsetEnvironment=RUNTIME_DIRECTORY"


def quoted(word: str) -> str:
    """As it is written in a unit so that systemd reads just this."""
    text = word.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return text if re.fullmatch(r"[^\s;'\"]+", text) else f'"{text}"'


def _systemd(seconds: float) -> str:
    return "infinity" if seconds == math.inf else f"{math.ceil(seconds)}"


def _ours_of(seconds: float) -> str:
    return FOREVER if seconds == math.inf else format_duration(seconds)


# What else there is to know


def remarks(unit: Unit, wish: Wish) -> Iterator[str]:
    """In the order of weight."""
    if not unit.sockets and not wish.listen:
        yield (
            "no sockets: the program goes on opening its own, and two copies can share a port only "
            "with SO_REUSEPORT; give --listen ADDR for what it can take over as LISTEN_FDS"
        )
    if not wish.ready and not unit.fact("Type").startswith("notify"):
        yield "a new copy counts as ready when it has lived for 5s; --ready asks it"
    if unit.fact("ExecReload"):
        yield "systemctl reload flips from now on, and does not do what ExecReload= said"
    for key in ("ExecStartPre", "ExecStartPost"):
        if unit.fact(key):
            yield f"{key}= is run when the unit starts, not at a flip"
    if int(unit.fact("FileDescriptorStoreMax") or 0):
        yield "descriptors that the program itself stores (FDSTORE) are not passed on"


# Its file


def write(unit: str, text: str) -> Path:
    """In one piece. Raises Refused when there is another's, or it is not allowed."""
    path = path_of(unit)
    if path.exists() and not is_ours(path):
        raise Refused(f"{path} is there and was not written by gapless", next=f"mv {path} …")
    fresh = path.with_name(f".{NAME}.{os.getpid()}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)
        with fresh.open("w") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise Refused(f"{path} cannot be written", evidence=error.strerror or "") from None
    return path


def remove(unit: str) -> bool:
    """Whether there was one. Raises Refused when it is not ours, or it is not allowed."""
    path = path_of(unit)
    if not path.exists():
        return False
    if not is_ours(path):
        raise Refused(f"{path} was not written by gapless", next=f"cat {path}")
    try:
        path.unlink()
    except OSError as error:
        raise Refused(f"{path} cannot be removed", evidence=error.strerror or "") from None
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return True


def is_ours(path: Path) -> bool:
    """By its first line."""
    try:
        return path.read_text(errors="replace").startswith(MARK)
    except OSError:
        return False
