"""What the API asks drivers for before it plans."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from gapless import planned
from gapless.clock import LoopClock
from gapless.config.source import load_config
from gapless.engine.project_assembly import ProjectAssembly

CONFIG = """
project: shop
hosts: {web1: {transport: local}}
services:
  both:
    on: [web1]
    systemd: {unit: both, file: unit}
    release: {directory: content, to: /srv/both}
  file: {on: [web1], systemd: {unit: file, file: unit}}
  neither: {on: [web1], systemd: neither}
"""


def test_a_service_that_brings_a_unit_file_is_told_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "gapless.yaml").write_text(CONFIG)
    (tmp_path / "unit").write_text("[Service]\n")
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "app").write_text("1")
    assembly = ProjectAssembly(load_config(tmp_path / "gapless.yaml").project, LoopClock())
    names = ["both", "file", "neither"]
    targets = asyncio.run(planned._targets(assembly, names, None, None))
    digest = hashlib.sha256(b"[Service]\n").hexdigest()
    assert [t.unit_file for t in targets.values()] == [digest, digest, ""]
    assert [t.release is not None for t in targets.values()] == [True, False, False]
