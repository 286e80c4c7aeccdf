"""What is sent to hosts must run there: on Python 3.8, with the standard library only."""

from __future__ import annotations

import ast
import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.runtimes import engine_script
from gapless.drivers.transports.base import HostFacts
from gapless.drivers.transports.local import LocalTransport
from gapless.hostside import bundle
from gapless.hostside.launch import _NEEDS
from gapless.model import Command, Completed

HOSTSIDE = Path(bundle.__file__).parent
ON_ENGINES = Path(engine_script.__file__).parent
PARTS = sorted(file for file in ON_ENGINES.glob("*.py") if file.stem != "__init__")
FILES = [*sorted(HOSTSIDE.glob("*.py")), *PARTS]
SENT = ("gapless.hostside", engine_script.__name__)
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
        assert top in sys.stdlib_module_names or name.startswith(SENT), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_annotations_are_not_evaluated(file: Path) -> None:
    if file.stem != "__init__":
        assert "from __future__ import annotations" in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_timeout_of_a_socket_is_caught_as_python_3_8_raises_it(file: Path) -> None:
    # There it is no TimeoutError, and asyncio and threads raise none on hosts.
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            caught = ast.unparse(node.type)
            assert "TimeoutError" not in caught or "socket.timeout" in caught


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


def test_the_helper_starts_without_site_packages_from_byte_code() -> None:
    done = start(bundle.pack(bundle.compiled(bundle.read_sources()), bundle.LOOP))
    assert done.stdout.startswith(b"\0gapless-ready\n")
    assert done.stderr == b""


def test_another_python_asks_for_the_sources() -> None:
    foreign = bundle.pack(bundle.compiled(bundle.read_sources()), bundle.LOOP)
    ours = sys.implementation.cache_tag.encode()
    foreign = foreign.replace(ours, b"cpython-27", 1)
    done = start(foreign + bundle.pack(bundle.read_sources(), bundle.LOOP))
    assert done.stdout.startswith(bundle.SOURCES_WANTED + b"\0gapless-ready\n")
    assert done.stderr == b""


def test_a_python_with_the_same_cache_tag_and_other_byte_code_asks_for_the_sources() -> None:
    # a pre-release, say
    foreign = bundle.pack(bundle.compiled(bundle.read_sources()), bundle.LOOP)
    tag, _, rest = foreign.partition(b"\n")
    ours, _, magic = tag.decode().rpartition("-")
    assert (ours, bytes.fromhex(magic)) == (sys.implementation.cache_tag, MAGIC_NUMBER)
    assert start(foreign).stdout.startswith(b"\0gapless-ready\n")
    foreign = f"{ours}-00000d0a\n".encode() + rest
    done = start(foreign + bundle.pack(bundle.read_sources(), bundle.LOOP))
    assert done.stdout.startswith(bundle.SOURCES_WANTED + b"\0gapless-ready\n")
    assert done.stderr == b""


def test_the_controller_sends_the_sources_when_asked(tmp_path: Path) -> None:
    # a host whose Python has another cache tag than ours
    python = tmp_path / "python3"
    python.write_text(
        "#!/bin/sh\n"
        f'for last; do :; done; exec {sys.executable} -I -S -c "import sys; '
        'sys.implementation.cache_tag = \'other-1\'; exec(sys.argv[1])" "$last"\n'
    )
    python.chmod(0o755)

    async def scene() -> HostFacts:
        config = HostConfig(transport="local", python=str(python), state_dir=str(tmp_path / "s"))
        transport = LocalTransport("here", config)
        await transport.connect()
        try:
            return await transport.facts()
        finally:
            await transport.close()

    assert asyncio.run(scene()).python


@pytest.mark.parametrize("interpreted", [True, False])
def test_a_program_of_ours_is_run_by_the_python_of_the_helper(
    interpreted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is called ``python3`` there."""
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho another one\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command = Command.python(b"import sys; print(sys.argv[1:])", "word")
    command = replace(command, interpreted=interpreted)

    async def scene() -> Completed:
        config = HostConfig(
            transport="local", python=sys.executable, state_dir=str(tmp_path / "state")
        )
        transport = LocalTransport("here", config)
        await transport.connect()
        try:
            return await transport.run(command)
        finally:
            await transport.close()

    done = asyncio.run(scene())
    assert done.stdout.strip() == ("['word']" if interpreted else "another one"), done


def start(packed: bytes) -> subprocess.CompletedProcess[bytes]:
    settings = bundle.pack_settings({"patience": 5, "state_dir": None})
    argv = bundle.interpreter(sys.executable)
    return subprocess.run(argv, input=settings + packed, capture_output=True, timeout=20)


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
