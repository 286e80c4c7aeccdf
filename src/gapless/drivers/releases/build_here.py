"""Building on the machine gapless runs on."""

from __future__ import annotations

import asyncio
import os
import platform
import pwd
import shutil
from dataclasses import replace
from pathlib import Path

from gapless.drivers.releases.build_work import BUILT_AT, Work
from gapless.drivers.releases.here import Here
from gapless.model import Command, Completed

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BuildHere:
    """In a private folder, with a home and a place for temporary files of its own."""

    def __init__(self) -> None:
        self._here = Here()

    async def platform(self) -> str:
        """System, machine and C library."""
        return platform_here()

    async def build(self, work: Work, command: Command) -> Completed:
        """Run it and move what it leaves."""
        place = work.beside / BUILT_AT
        for name in ("home", "tmp"):
            (place / name).mkdir(parents=True)
        folder = place / "source"
        await asyncio.to_thread(shutil.copytree, work.source, folder, symlinks=True)
        env = {**_environment(place), **command.env}
        done = await self._here.run(replace(command, env=env, cwd=str(folder)))
        if done.ok:
            await asyncio.to_thread(_take, folder, work)
        return done

    async def close(self) -> None:
        """There is nothing to close."""


def platform_here() -> str:
    """System, machine and C library of this machine."""
    library = " ".join(part for part in platform.libc_ver() if part)
    return " ".join(part for part in (platform.system(), platform.machine(), library) if part)


def _environment(place: Path) -> dict[str, str]:
    user = pwd.getpwuid(os.geteuid()).pw_name
    return {
        "PATH": _PATH,
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
    }


def _take(folder: Path, work: Work) -> None:
    for name in work.keep:
        source, target = folder / name, work.left / name
        if os.path.lexists(source):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
