"""The files of a fake host: a dict of absolute path to node, with links, modes and a full disk."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a folder or a symbolic link; ``changed`` orders them like mtime."""

    kind: str
    content: bytes = b""
    target: str = ""
    mode: int = 0o644
    owner: str = "root:root"
    changed: int = 0


def clean(path: str) -> str:
    """An absolute path without ``.``, ``..`` and doubled slashes."""
    if not path.startswith("/"):
        raise OSError(errno.EINVAL, "not an absolute path", path)
    if "//" not in path and "/." not in path and (path == "/" or path[-1] != "/"):
        return path
    return os.path.normpath(path).replace("//", "/")


class FakeFiles:
    """What a disk does, as far as deployments need it. Errors are OSErrors, as on a host."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {"/": Node("dir", mode=0o755)}
        self.full = False
        """Nothing can be written any more (ENOSPC)."""
        self.read_only = False
        self.on_change: Callable[[str], None] = lambda path: None
        self.version = 0
        """Counts every change."""
        self._links: list[str] = []

    def resolve(self, path: str, *, last: bool = True) -> str:
        """Follow links (of the last part only with ``last``); the result need not exist."""
        for _ in range(MAX_LINKS):
            followed = self._follow_one(clean(path), last)
            if followed is None:
                return clean(path)
            path = followed
        raise OSError(errno.ELOOP, "too many links", path)

    def _follow_one(self, path: str, last: bool) -> str | None:
        for link in self._links:
            if path == link and not last:
                continue
            if path == link or path.startswith(link + "/"):
                folder = os.path.dirname(link)  # noqa: PTH120
                return os.path.join(folder, self.nodes[link].target) + path[len(link) :]  # noqa: PTH118
        return None

    def node(self, path: str, *, follow: bool = True) -> Node | None:
        """What is at ``path``, None when nothing is."""
        return self.nodes.get(self.resolve(path, last=follow))

    def exists(self, path: str) -> bool:
        """Whether there is something, links followed."""
        return self.node(path) is not None

    def read(self, path: str) -> bytes:
        """A file's content."""
        node = self.node(path)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        if node.kind == "dir":
            raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
        return node.content

    def write(self, path: str, content: bytes | str, mode: int = 0o644, owner: str = "") -> None:
        """Put a file there; its folders are made."""
        data = content.encode() if isinstance(content, str) else content
        real = self.resolve(path)
        self.mkdir(os.path.dirname(real))  # noqa: PTH120
        self._set(real, Node("file", data, mode=mode, owner=owner or "root:root"))

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        """Make a folder and those above it."""
        real = self.resolve(path)
        if real in self.nodes:
            if self.nodes[real].kind != "dir":
                raise FileExistsError(errno.EEXIST, "File exists", path)
            return
        self.mkdir(os.path.dirname(real))  # noqa: PTH120
        self._set(real, Node("dir", mode=mode))

    def link(self, target: str, path: str) -> None:
        """Make (or replace) a symbolic link."""
        real = self.resolve(path, last=False)
        self.mkdir(os.path.dirname(real))  # noqa: PTH120
        self._set(real, Node("link", target=target, mode=0o777))

    def rename(self, source: str, target: str) -> None:
        """rename(2): replaces a file or link; a folder only if it is empty."""
        old, new = self.resolve(source, last=False), self.resolve(target, last=False)
        moved = self.nodes.get(old)
        if moved is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", source)
        there = self.nodes.get(new)
        if there is not None and (there.kind == "dir") != (moved.kind == "dir"):
            raise OSError(errno.EISDIR, "cannot overwrite directory with non-directory", target)
        if there is not None and there.kind == "dir" and any(self.below(new)):
            raise OSError(errno.ENOTEMPTY, "Directory not empty", target)
        self._writable(target)
        for path in [old, *self.below(old)]:
            self.nodes[new + path[len(old) :]] = self.nodes.pop(path)
        self._note(new)

    def remove(self, path: str) -> None:
        """Remove a file, link or whole tree; nothing there is fine."""
        real = self.resolve(path, last=False)
        if self.read_only and real in self.nodes:
            raise OSError(errno.EROFS, "Read-only file system", path)
        for gone in [real, *self.below(real)]:
            self.nodes.pop(gone, None)
        self._note(real)

    def below(self, path: str) -> list[str]:
        """Every path under a folder, sorted as a walk visits them."""
        prefix = path.rstrip("/") + "/"
        found = [name for name in self.nodes if name.startswith(prefix)]
        return sorted(found, key=lambda name: name.split("/"))

    def children(self, path: str) -> list[str]:
        """Names in a folder."""
        real = self.resolve(path)
        start = len(real.rstrip("/")) + 1
        return [name[start:] for name in self.below(real) if "/" not in name[start:]]

    def copy(self, source: str, target: str) -> None:
        """``cp -a`` of a file, link or tree onto ``target``."""
        old = self.resolve(source, last=False)
        if old not in self.nodes:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", source)
        new = self.resolve(target, last=False)
        self.mkdir(os.path.dirname(new))  # noqa: PTH120
        for path in [old, *self.below(old)]:
            self._set(new + path[len(old) :], self.nodes[path])

    def own(self, path: str, owner: str) -> None:
        """``chown -R``."""
        real = self.resolve(path)
        for name in [real, *self.below(real)]:
            self.nodes[name] = replace(self.nodes[name], owner=owner)

    def fill(self, path: str, tree: Mapping[str, bytes]) -> None:
        """Write a tree of relative names below a folder."""
        self.mkdir(path)
        for name, content in tree.items():
            self.write(f"{path}/{name}", content)

    def digest(self, path: str) -> str:
        """sha256 of a file or tree by the same rule as on real hosts, "" when missing."""
        node = self.node(path)
        if node is None:
            return ""
        if node.kind == "file":
            return hashlib.sha256(node.content).hexdigest()
        total = hashlib.sha256()
        for line in self._entries(self.resolve(path)):
            total.update(line.encode())
        return total.hexdigest()

    def _entries(self, real: str) -> Iterator[str]:
        start = len(real.rstrip("/")) + 1
        for path in self.below(real):
            node, name = self.nodes[path], path[start:]
            if node.kind == "link":
                yield f"link\0{name}\0{node.target}\n"
            else:
                content = hashlib.sha256(node.content).hexdigest() if node.kind == "file" else ""
                yield f"{node.kind}\0{name}\0{node.mode:o}\0{content}\n"

    def _set(self, real: str, node: Node) -> None:
        self._writable(real)
        there = self.nodes.get(real)
        self.nodes[real] = replace(node, changed=self.version + 1)
        self._note(real, links=node.kind == "link" or (there is not None and there.kind == "link"))

    def _note(self, path: str, *, links: bool = True) -> None:
        self.version += 1
        if links:
            self._links = [name for name, node in self.nodes.items() if node.kind == "link"]
        self.on_change(path)

    def _writable(self, path: str) -> None:
        if self.read_only:
            raise OSError(errno.EROFS, "Read-only file system", path)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device", path)
