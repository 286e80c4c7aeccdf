"""A rig whose configuration is read anew at every flip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gapless.supervisor.spec import Spec
from tests.supervisor.rig import ROOT, Rig

Web = Callable[..., Rig]

COMPILES = "import sys; print(open(sys.argv[1]).read())\n"


def configured(web: Web, tmp_path: Path, *flags: str, **changes: Any) -> Rig:
    """A rig whose configuration is read anew at every flip: ``configure`` writes it."""
    fake = tmp_path / "fake" / "gapless" / "config"
    fake.mkdir(parents=True)
    (fake.parent / "__init__.py").write_text("")
    (fake / "__init__.py").write_text("")
    (fake / "compiling.py").write_text(COMPILES)
    source = str(tmp_path / "web.spec")
    rig = web(*flags, source=source, inputs=((source, 0, 0),), **changes)
    rig.package = str(ROOT / "src")
    return rig


def configure(rig: Rig, **changes: Any) -> Spec:
    """What the next copy is made of."""
    spec = replace(rig.spec, **changes)
    Path(rig.spec.source).write_text(spec.to_json())
    return spec


def compiler(tmp_path: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tmp_path / "fake")}
