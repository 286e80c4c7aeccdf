"""The smallest image that runs a Python program: from this machine, so no registry is needed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

NAME = "gapless-test"
PYTHON = "/usr/bin/python3"
_PROGRAMS = ("sleep", "touch", "cat", "rm")
_LEFT_OUT = frozenset(
    ("__pycache__", "dist-packages", "test", "ensurepip", "idlelib", "lib2to3", "tkinter")
)


def missing() -> str:
    """What it cannot be made without; "" when all is there."""
    return "" if os.path.exists(PYTHON) else f"{PYTHON} is not installed"


def tarball() -> bytes:
    """A root file system."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(_files()):
            tar.add(os.path.realpath(path), arcname=path.lstrip("/"), recursive=False)
        for program in _PROGRAMS:
            tar.add(os.path.realpath(f"/bin/{program}"), arcname=f"bin/{program}")
        tar.add(os.path.realpath("/bin/sh"), arcname="bin/sh")
        for folder in ("tmp", "proc", "sys", "dev"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(made)
    return packed.getvalue()


def _files() -> Iterator[str]:
    version = _version()
    library = f"/usr/lib/python{version}"
    modules = [*_modules(library)]
    yield from {PYTHON, f"/usr/bin/python{version}", *modules}
    extensions = [path for path in modules if path.endswith(".so")]
    programs = [f"/bin/{program}" for program in (*_PROGRAMS, "sh")]
    yield from _needed([PYTHON, *programs, *extensions])


def _version() -> str:
    asked = [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _modules(library: str) -> Iterator[str]:
    for folder, inner, names in os.walk(library):
        inner[:] = [name for name in inner if name not in _LEFT_OUT and "config-" not in name]
        yield from (str(Path(folder, name)) for name in names)


def _needed(programs: list[str]) -> set[str]:
    """Shared libraries, by the names they are looked for."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+\.so\S*)(?= \()", told))
