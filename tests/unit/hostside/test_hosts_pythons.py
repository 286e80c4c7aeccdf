"""What is sent to hosts must run there: on Python 3.8, with the standard library only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.hostside import bundle
from gapless.hostside.launch import _NEEDS

HOSTSIDE = Path(bundle.__file__).parent
FILES = sorted(HOSTSIDE.glob("*.py"))
# Newer than 3.8, and easily used by mistake.
TOO_NEW = {"removeprefix", "removesuffix", "pairwise", "batched", "is_relative_to", "TaskGroup"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_syntax_is_that_of_python_3_8(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr not in TOO_NEW
        if isinstance(node, ast.Call):
            assert not {"strict", "slots", "kw_only"} & {word.arg for word in node.keywords}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_the_standard_library_is_imported(file: Path) -> None:
    for name in imported(file):
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names or name.startswith("gapless.hostside"), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_annotations_are_not_evaluated(file: Path) -> None:
    if file.stem != "__init__":
        assert "from __future__ import annotations" in file.read_text()


def test_the_runner_gets_all_it_needs() -> None:
    # At the top of files; what is imported inside functions it never calls.
    needed = {"boot", "payload", "runner"}
    while (
        more := {
            name.rpartition(".")[2]
            for stem in needed
            for name in imported(HOSTSIDE / f"{stem}.py")
            if name.startswith("gapless.hostside.")
        }
        - needed
    ):
        needed |= more
    assert needed == set(_NEEDS)


def test_boot_survives_shells_and_systemd() -> None:
    assert not set("'!$%\n\\") & set(bundle.BOOT)


def test_the_helper_starts_without_site_packages() -> None:
    sources = bundle.read_sources()
    settings = {"patience": 5, "state_dir": None}
    done = subprocess.run(
        bundle.interpreter(sys.executable),
        input=bundle.pack(sources, bundle.LOOP, settings),
        capture_output=True,
        timeout=20,
    )
    assert done.stdout.startswith(b"\0gapless-ready\n")
    assert done.stderr == b""


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "gapless.hostside":
            names |= {f"gapless.hostside.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
