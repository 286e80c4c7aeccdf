"""What is pushed to a fake host: a folder on this machine, or a dict in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gapless.drivers.releases.excludes import Excludes
from gapless.testing.fake_files import FakeFiles, Node

MemoryTree = Mapping[str, bytes]
"""Relative file names to content."""


def read_source(source: Path | MemoryTree, exclude: Sequence[str]) -> dict[str, Node]:
    """Every entry of a source that is not excluded, folders before what is in them."""
    nodes = _from_disk(source) if isinstance(source, Path) else _from_memory(source)
    rules = Excludes(exclude)
    return {
        name: node
        for name, node in nodes
        if not rules.covers(name, folder=node.kind == "dir")
    }  # fmt: skip


def digest_source(source: Path | MemoryTree, exclude: Sequence[str]) -> str:
    """Its digest by the rule of real hosts."""
    files = FakeFiles()
    files.mkdir("/r")
    for name, node in read_source(source, exclude).items():
        files.nodes[f"/r/{name}"] = node
    return files.digest("/r")


def _from_memory(tree: MemoryTree) -> Iterator[tuple[str, Node]]:
    folders: set[str] = set()
    for name, content in sorted(tree.items(), key=lambda item: item[0].split("/")):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in folders:
                folders.add(folder)
                yield folder, Node("dir", mode=0o755)
        yield name, Node("file", content)


def _from_disk(root: Path) -> Iterator[tuple[str, Node]]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        mode = path.lstat().st_mode & 0o7777
        if path.is_symlink():
            yield name, Node("link", target=str(path.readlink()), mode=mode)
        elif path.is_dir():
            yield name, Node("dir", mode=mode)
        else:
            yield name, Node("file", path.read_bytes(), mode=mode)
