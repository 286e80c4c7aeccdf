"""What is in the drop-in that puts a unit under ``gapless run``, and what else there is to know.

All that the unit says about users, limits, sandboxes, environment and restarts stays as it is. Its
limits for starting and stopping become those of each copy; systemd's own are wider, so that ours
strike first and the answer is true.
"""

from __future__ import annotations

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
from gapless.config.signals import NAMES, signal_name
from gapless.drivers.runtimes.systemd_view import span

FOREVER = "24h"
"""A copy's limit where systemd has none."""
_SETTLE = "2s"
_SLACK = 10.0
_TERM = 15
_CLEAN = (129, 130, 141, 143)
"""HUP, INT, PIPE, TERM: the ends by a signal that systemd takes for a success."""
_SIGNALLED = range(129, 160)
_ABNORMAL = ("on-abnormal", "on-abort")


@dataclass(frozen=True)
class Wish:
    """What the person said besides the unit."""

    listen: tuple[str, ...] = ()
    ready: str = ""
    settle: str = ""


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


# What is in it


def body_of(unit: Unit, wish: Wish, gapless: Sequence[str]) -> str:
    """All but its head."""
    return "\n".join(["[Service]", *_lines(unit, wish, gapless), ""])


def parted(command: str) -> tuple[str, str]:
    """The marks in front of a command, and the command."""
    rest = command.lstrip("-@:+!")
    return command[: len(command) - len(rest)], rest.strip()


def _lines(unit: Unit, wish: Wish, gapless: Sequence[str]) -> Iterator[str]:
    start, stop = _limits(unit)
    settle = parse_duration(wish.settle or _SETTLE)
    ours = " ".join(map(quoted, gapless))
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield "PIDFile="
    yield "ExecStart="
    yield _start(unit, wish, ours)
    yield "ExecReload="
    yield f"ExecReload={ours} flip --pid $MAINPID"
    yield "KillMode=mixed"
    yield "KillSignal=SIGTERM"
    if unit.fact("RestartKillSignal") not in ("", str(_TERM)):
        yield "RestartKillSignal=SIGTERM"
    yield "# a flip may wait for another one, and takes no longer than its limits"
    yield f"TimeoutStartSec={_systemd(2 * (start + settle + stop) + _SLACK)}"
    yield f"TimeoutStopSec={_systemd(stop + _SLACK)}"
    yield "# a new copy that needs too much memory is no reason to stop the old one"
    yield "OOMPolicy=continue"
    yield from _statuses(unit)
    if not unit.fact("SyslogIdentifier") and unit.program:
        yield f"SyslogIdentifier={quoted(Path(unit.program).name)}"
    yield "# listening sockets stay open while gapless itself is started again"
    yield f"FileDescriptorStoreMax={max(64, int(unit.fact('FileDescriptorStoreMax') or 0))}"
    yield from _folder(unit, wish)


def _start(unit: Unit, wish: Wish, ours: str) -> str:
    prefix, command = parted(unit.starts[0])
    words = " ".join(map(quoted, _options(unit, wish)))
    if ":" in prefix:  # with it systemd leaves dollars alone
        words = words.replace("$$", "$")
    return f"ExecStart={prefix}{ours} run {words} -- {command}"


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
    kills = unit.fact("SendSIGKILL") != "no"
    return start or math.inf, (stop or math.inf) if kills else math.inf


_WHICH = ("Start", "Stop")


def _statuses(unit: Unit) -> Iterator[str]:
    """Lists of ends by signals and by exit codes: ours is always by one of the latter."""
    yield "# a program that was ended by signal n is told as 128 + n"
    abnormal = [code for code in _SIGNALLED if code not in _CLEAN]
    more = {
        "SuccessExitStatus": _CLEAN,
        "RestartForceExitStatus": abnormal if unit.fact("Restart") in _ABNORMAL else (),
        "RestartPreventExitStatus": (),
    }
    for key, codes in more.items():
        named = (128 + NAMES[word] for word in unit.fact(key).split() if word in NAMES)
        if every := sorted({*codes, *named}):
            yield f"{key}={' '.join(map(str, every))}"


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


def _folder(unit: Unit, wish: Wish) -> Iterator[str]:
    """Where gapless flip finds it: a folder of the unit's own user. The program is not to see that
    one in $RUNTIME_DIRECTORY."""
    own = [one.partition(":")[0] for one in unit.fact("RuntimeDirectory").split()]
    yield f"RuntimeDirectory=gapless/{supervised_name(unit.name)}"
    if any("unix:///" in address for address in wish.listen) and _forgets(unit):
        yield "RuntimeDirectoryPreserve=restart"
    yield "Environment=GAPLESS_RUN_DIR=%t/gapless"
    if own:
        yield f'Environment="RUNTIME_DIRECTORY={":".join(f"%t/{one}" for one in own)}"'
    else:
        yield "UnsetEnvironment=RUNTIME_DIRECTORY"


def _forgets(unit: Unit) -> bool:
    """A socket in such a folder would be kept open, but its path would be gone."""
    return unit.fact("RuntimeDirectoryPreserve") in ("", "no")


def quoted(word: str) -> str:
    """As it is written in a unit so that systemd reads just this."""
    text = word
    for plain, written in _WRITTEN.items():
        text = text.replace(plain, written)
    return text if re.fullmatch(r"[^\s;'\"]+", text) else f'"{text}"'


_WRITTEN = {"\\": "\\\\", "%": "%%", "$": "$$", '"': '\\"', "\n": "\\n"}


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
    if unit.fact("EnvironmentFiles"):
        yield (
            "EnvironmentFile= is read when the unit starts, not at a flip; a run file with "
            "env_files reads it at each"
        )
    if int(unit.fact("FileDescriptorStoreMax") or 0):
        yield "descriptors that the program itself stores (FDSTORE) are not passed on"
