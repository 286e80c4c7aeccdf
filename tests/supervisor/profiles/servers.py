"""The real servers: from PyPI in an environment that is kept between runs, or as installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.lab.availability import lab_is_required

FROM_PYPI = ("gunicorn>=23", "uvicorn>=0.30", "hypercorn>=0.17", "granian>=2.5")
SYSTEM = {
    "nginx": ("nginx", "nginx-light"),
    "node": ("node", "nodejs"),
    "php-fpm": ("php-fpm*", "php-fpm"),
    "cgi-fcgi": ("cgi-fcgi", "libfcgi-bin"),
}
"""Name in the pages → program, and Debian's package of it."""
_PLACES = (*os.environ["PATH"].split(":"), "/usr/sbin", "/usr/local/sbin")


def environment() -> Path:
    """Where those from PyPI are."""
    cached = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return cached / "gapless-tests" / "profiles"


@cache
def install() -> str:
    """Make the environment; why that is not possible, or ""."""
    tools = environment() / "bin"
    if all((tools / one.partition(">=")[0]).exists() for one in FROM_PYPI):
        return ""
    try:
        subprocess.run([sys.executable, "-m", "venv", environment()], check=True)
        pip = [tools / "pip", "install", "-q", *FROM_PYPI]
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=100)
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        return f"the Python servers cannot be installed: {told[-1]}"
    return ""


def found(name: str) -> Path | None:
    """A program of the system."""
    pattern = SYSTEM[name][0]
    for place in _PLACES:
        for program in sorted(Path(place).glob(pattern)):
            if os.access(program, os.X_OK):
                return program
    return None


def missing(names: tuple[str, ...]) -> tuple[str, bool]:
    """Why these cannot be used, or ""; and whether that is a failure here: it is where everything
    has to run and a Python server is what is missing, for those need nothing but pip."""
    for name in names:
        if name in SYSTEM:
            if found(name) is None:
                return f"{name} is not installed (apt-get install {SYSTEM[name][1]})", False
        elif reason := install():
            return reason, lab_is_required()
    return "", False


def provide(names: tuple[str, ...], folder: Path) -> str:
    """A PATH on which these are, by the names that the pages use."""
    folder.mkdir()
    for name in names:
        if name in SYSTEM:
            program = found(name)
            assert program is not None
            (folder / name).symlink_to(program)
    python = Path(shutil.which("python3", path=f"{environment()}/bin") or sys.executable).parent
    return f"{folder}:{python}:{os.environ['PATH']}"
