"""This gapless on a host of the lab, in /opt/gapless, with the host's own Python."""

from __future__ import annotations

import functools
import importlib.util
import io
import sys
import tarfile
from pathlib import Path

import pytest

from tests.lab import LabHost

FOLDER = "/opt/gapless"
COMMAND = f"{FOLDER}/bin/gapless"
_MODULES = (
    "gapless", "click", "pydantic", "pydantic_core", "annotated_types", "typing_extensions",
    "typing_inspection", "yaml", "_yaml",
)  # fmt: skip
_START = f"""\
#!{FOLDER}/bin/python
import sys
from gapless.cli.main import main
main()
"""


def install_gapless(host: LabHost) -> None:
    """As ``pip install`` into a virtual environment would; nothing is fetched."""
    theirs = host.run(["python3", "-c", "import sys; print(*sys.version_info[:2])"]).stdout.split()
    if theirs != [str(number) for number in sys.version_info[:2]]:
        pytest.skip(f"compiled modules of this Python do not fit the host's {'.'.join(theirs)}")
    host.run(["tar", "-x", "-C", "/opt"], stdin=_archive())


@functools.cache
def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        _text(tar, "gapless/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
        _text(tar, "gapless/bin/gapless", _START, 0o755)
        link = tarfile.TarInfo("gapless/bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, "/usr/bin/python3"
        tar.addfile(link)
        for name in _MODULES:
            found = importlib.util.find_spec(name)
            if found is not None and found.origin is not None:
                file = Path(found.origin)
                path = file.parent if file.name == "__init__.py" else file
                inside = f"gapless/lib/python{sys.version_info.major}.{sys.version_info.minor}"
                tar.add(path, f"{inside}/site-packages/{path.name}", filter=_wanted)
    return packed.getvalue()


def _wanted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    info.uid = info.gid = 0
    return None if info.name.endswith("__pycache__") else info


def _text(tar: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text), mode
    tar.addfile(info, io.BytesIO(text.encode()))
