"""Which systemd services a machine runs that somebody put there: what ``init`` offers.

The distribution's own services are left out by where their unit file is: only units below
/etc/systemd/system, /usr/local or /run/systemd/system (and no aliases) are somebody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from gapless.clock import within
from gapless.errors import UsageError
from gapless.model import Command, Completed

Run = Callable[[Command], Awaitable[Completed]]
"""How a command is run: here, or by a transport's ``run``."""

_OURS = ("/etc/systemd/system/", "/usr/local/", "/run/systemd/system/")
_LIST = Command(
    ("systemctl", "list-units", "--type=service", "--all", "--plain", "--no-legend", "--no-pager"),
    privileged=False,
)
_LIST_FILES = Command(
    ("systemctl", "list-unit-files", "--type=service", "--no-legend", "--no-pager"),
    privileged=False,
)


@dataclass(frozen=True, slots=True)
class DetectedUnit:
    """A service unit: its state, whether it starts at boot, and where its file is."""

    name: str
    active: str = "inactive"
    enabled: str = ""
    description: str = ""
    file: str = ""

    @property
    def running(self) -> bool:
        """Whether it is active now."""
        return self.active == "active"


def parse_units(text: str) -> dict[str, DetectedUnit]:
    """``systemctl list-units --plain --no-legend``: UNIT LOAD ACTIVE SUB DESCRIPTION."""
    found = {}
    for line in text.splitlines():
        words = line.replace("●", " ").split(maxsplit=4)
        if len(words) >= 4 and words[0].endswith(".service") and words[1] == "loaded":
            description = words[4] if len(words) > 4 else ""
            found[words[0]] = DetectedUnit(words[0], words[2], description=description)
    return found


def parse_unit_files(text: str) -> dict[str, str]:
    """``systemctl list-unit-files --no-legend``: unit to enabled, disabled, static …"""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) >= 2 and row[0].endswith(".service")}


def parse_fragments(text: str) -> dict[str, str]:
    """``systemctl show --property=Id,FragmentPath``: unit to its file."""
    found = {}
    for block in text.split("\n\n"):
        facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if facts.get("Id"):
            found[facts["Id"]] = facts.get("FragmentPath", "")
    return found


def candidates(units: Iterable[DetectedUnit]) -> tuple[DetectedUnit, ...]:
    """Units that somebody put there: running ones first, then by name; no templates."""
    ours = [u for u in units if u.file.startswith(_OURS) and "@." not in u.name]
    return tuple(sorted(ours, key=lambda unit: (not unit.running, unit.name)))


async def detect(run: Run | None = None) -> tuple[DetectedUnit, ...]:
    """Ask a machine (this one by default); none when it has no systemd."""
    ask = run or run_here
    listed, files = await ask(_LIST), await ask(_LIST_FILES)
    if not listed.ok:
        return ()
    units, enabled = parse_units(listed.stdout), parse_unit_files(files.stdout)
    names = [name for name in {**units, **enabled} if "@." not in name]
    if not names:
        return ()
    shown = await ask(
        Command(("systemctl", "show", "--property=Id,FragmentPath", "--", *names), privileged=False)
    )
    paths = parse_fragments(shown.stdout)
    return candidates(
        _with_file(units.get(name, DetectedUnit(name)), enabled.get(name, ""), paths.get(name, ""))
        for name in names
    )


def _with_file(unit: DetectedUnit, enabled: str, file: str) -> DetectedUnit:
    return DetectedUnit(unit.name, unit.active, enabled, unit.description, file)


async def run_here(command: Command) -> Completed:
    """Run a command on this machine; a program that is not there ends with status 127."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        return Completed(command.argv, 127, "", error.strerror or str(error), 0.0)
    try:
        async with within(command.timeout):
            out, err = await process.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise UsageError(f"{command} gave no answer within {command.timeout:g} s") from None
    status = process.returncode or 0
    return Completed(
        command.argv, status, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), 0.0
    )
