"""A rig that runs a copy of our own code, which may be renewed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.supervisor.rig import ROOT, Rig

Web = Callable[..., Rig]


def installed(rig: Rig, tmp_path: Path) -> Path:
    """A copy of the package, and the folder with its modules."""
    package = tmp_path / "lib" / "gapless"
    shutil.copytree(ROOT / "src" / "gapless" / "supervisor", package / "supervisor")
    (package / "__init__.py").write_text("")
    rig.package = str(package.parent)
    return package / "supervisor"


def renewed(folder: Path, number: int = 1) -> None:
    """Another version of the code is there."""
    file = folder / "requests.py"
    file.write_text(file.read_text() + f"# version {number}\n")


def born(rig: Rig) -> bool:
    """Whether the process has replaced itself."""
    return b"--state" in Path(f"/proc/{rig.pid}/cmdline").read_bytes()
