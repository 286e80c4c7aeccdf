"""Whether a unit runs from the release that a deploy brings; one that does not would be restarted,
pass its checks, and serve the old code.

1. A unit that names the live release (``TO/current``, in place TO) in what it executes or where it
   works follows it. Where the deploy brings the unit's file, that file is what counts.
2. One that names a release by its own name stays with that one: refused.
3. Otherwise the host is asked: where the named paths lead, where the main process is, and what is
   in the unit's environment. A link, a wrapper or a variable may lead to the live release.
4. What is in TO and leads nowhere else is not of the release: refused.
5. Of everything else nobody can tell: noted.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.unit_file import read_unit_file
from gapless.drivers.transports.base import Transport
from gapless.model import UNSURE, Command, Verdict, VerdictStatus

CHECK = "release"
"""Concerns deploys alone: a unit that runs from anywhere can be restarted."""

_PLACES = ("WorkingDirectory", "RootDirectory")
_SHOWN_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=", re.DOTALL)
_SETTING = re.compile(r"^(ExecStart|WorkingDirectory|RootDirectory)\s*=\s*(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a unit says of itself: ``text`` all of it, ``words`` what it executes."""

    text: str
    words: tuple[str, ...]
    places: tuple[str, ...]
    pid: str = ""

    def named(self, top: str) -> tuple[list[str], list[str]]:
        """Paths in ``top``: those it names, and those that may be meant by words without a
        slash in front, where it works there."""
        words = [word for word in self.words if not word.startswith("-")]
        paths = [path for path in (*words, *self.places) if _below(top, path)]
        inside = [place for place in self.places if place == top or _below(top, place)]
        loose = [word for word in words if not word.startswith("/")] if inside else []
        return paths, [posixpath.normpath(f"{inside[0]}/{word}") for word in loose]


async def follows(
    transport: Transport, config: SystemdConfig, release: ReleaseConfig, shown: Mapping[str, str]
) -> Verdict:
    """The verdict of the rules above."""
    top = "/" + posixpath.normpath(release.to).lstrip("/")
    live = top if release.in_place else f"{top}/current"
    file = read_unit_file(config)
    said = _as_shown(shown) if file is None else _as_written(file.decode("utf-8", "replace"))
    asked = f"systemctl show {config.unit}" if config.file is None else config.file
    if _mentions(said.text, live):
        return _verdict(asked, f"the unit runs from {live}")
    if release.in_place:
        return _unsure(asked, config.unit, live)
    paths, loose = said.named(top)
    pinned = [path for path in paths if _below(f"{top}/releases", path)]
    if not pinned and (
        await _leads_there(transport, top, (*paths, *_process(said)))
        or (file is None and await _in_environment(transport, config.unit, live))
    ):
        return _verdict(asked, f"what runs comes from {live}")
    other = pinned or paths or await _there(transport, loose)
    changed = file is not None and bool(shown.get("DropInPaths"))
    return _unsure(asked, config.unit, live) if changed or not other else _stays(asked, other, live)


def _as_shown(shown: Mapping[str, str]) -> _Said:
    started = shown.get("ExecStart", "")
    words = tuple(word for argv in _SHOWN_ARGV.findall(started) for word in _words(argv))
    places = tuple(_plain(shown.get(name, "")) for name in _PLACES)
    return _Said("\n".join((started, *places)), words, places, shown.get("MainPID", ""))


def _as_written(text: str) -> _Said:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))]
    text = "\n".join(lines).replace("\\\n", " ")
    found = _SETTING.findall(text)
    words = tuple(w for key, value in found if key == "ExecStart" for w in _words(value))
    places = tuple(_plain(value.strip()) for key, value in found if key in _PLACES)
    return _Said(text, words, places)


def _words(argv: str) -> Iterator[str]:
    for word in argv.split():
        plain = word.strip("\"';").lstrip("@:+!")
        yield posixpath.normpath(plain) if plain.startswith("/") else plain


def _plain(folder: str) -> str:
    """``-`` in front says that it may be missing; systemctl tells it by ``!``."""
    path = folder.lstrip("!-")
    return posixpath.normpath(path) if path.startswith("/") else ""


def _process(said: _Said) -> Iterator[str]:
    if said.pid not in ("", "0"):
        yield from (f"/proc/{said.pid}/cwd", f"/proc/{said.pid}/exe")


def _mentions(text: str, folder: str) -> bool:
    return re.search(rf"(?<![\w./-]){re.escape(folder)}(?![\w.-])", text) is not None


def _below(folder: str, path: str) -> bool:
    return path.startswith(f"{folder}/")


async def _leads_there(transport: Transport, top: str, paths: Sequence[str]) -> bool:
    """Whether one of them is, links followed, in a release of ``top``."""
    if not paths:
        return False
    argv = ("readlink", "-m", "--", top, f"{top}/current", *paths)
    done = await transport.run(Command(argv, timeout=10.0))
    real, live, *others = done.stdout.splitlines() if done.ok else ("", "")
    homes = (f"{real}/releases", live)
    return any(one == live or _below(home, one) for home in homes for one in others)


async def _in_environment(transport: Transport, unit: str, live: str) -> bool:
    """Asked only here and kept nowhere: there may be secrets in it."""
    shown = await transport.unit(unit, ("Environment", "EnvironmentFiles"))
    return any(_mentions(text, live) for text in shown.values())


async def _there(transport: Transport, paths: Sequence[str]) -> list[str]:
    """Those that are files on the host."""
    if not paths:
        return []
    argv = ("find", *paths, "-maxdepth", "0", "-type", "f", "-print")
    return (await transport.run(Command(argv, timeout=10.0))).stdout.splitlines()


def _verdict(asked: str, answer: str) -> Verdict:
    return Verdict(VerdictStatus.PASS, CHECK, asked, answer)


def _unsure(asked: str, unit: str, live: str) -> Verdict:
    answer = f"{UNSURE} whether {unit} runs from {live}: it does not name it"
    return _verdict(asked, answer)


def _stays(asked: str, other: Sequence[str], live: str) -> Verdict:
    answer = f"the unit runs {other[0]}, not {live}: it would go on with the old code"
    wanted = f"{live} in the unit, as WorkingDirectory={live}; then systemctl daemon-reload"
    return Verdict(VerdictStatus.FAIL, CHECK, asked, answer, wanted)
