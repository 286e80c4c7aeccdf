"""Files on the host: written whole or not at all, read up to a limit, compared by digest."""

from __future__ import annotations

import contextlib
import os
import stat

from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.wire import pack_bytes, unpack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_CHUNK = 1 << 20


def read_text(path: str) -> str:
    """A small text file, with replacement of what is not UTF-8."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_text(path: str, text: str) -> None:
    """Write into an existing file in one go (kernel interfaces)."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def write_atomically(
    path: str,
    content: bytes,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
    *,
    durable: bool = True,
) -> None:
    """Temp file beside it, fsync, rename, fsync of the folder. Raises OSError; leaves no rest.
    What need not outlive a power cut is spared the fsyncs."""
    temporary = f"{path}.gapless-{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        os.rename(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, path) from error
        raise
    if durable:
        fsync_folder(os.path.dirname(path))


def fsync_folder(path: str) -> None:
    """Make a rename in this folder last."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(args: dict[str, Any]) -> None:
    """The verb."""
    path = _absolute(args["path"])
    try:
        owner = _ids(args["owner"]) if args["owner"] else None
        write_atomically(path, unpack_bytes(args["content"]), args["mode"], owner)
    except OSError as error:
        raise from_os_error(error, "cannot write") from error


def get(args: dict[str, Any]) -> str | None:
    """The verb: packed content, None when there is no such file."""
    path, limit = _absolute(args["path"]), int(args["limit"])
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, "cannot read") from error
    if len(content) > limit:
        raise Fault(f"{path} is larger than {limit} bytes")
    return pack_bytes(content)


def digest(args: dict[str, Any]) -> dict[str, str]:
    """The verb."""
    try:
        return {path: digest_of(_absolute(path)) for path in args["paths"]}
    except OSError as error:
        raise from_os_error(error, "cannot read") from error


def digest_of(path: str) -> str:
    """sha256 of a file's content or of a folder's tree, "" when there is nothing.

    A tree's digest covers names, kinds, permission bits, contents and symlink targets, not times
    and owners. A symlink given as ``path`` is followed, one inside a tree is not.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return ""
    if not stat.S_ISDIR(mode):
        return _content(path)
    import hashlib

    total = hashlib.sha256()
    for name, full in _walk(path, ""):
        total.update(tree_line(name, full))
    return total.hexdigest()


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    for name in sorted(os.listdir(folder), key=os.fsencode):
        full = f"{folder}/{name}"
        yield prefix + name, full
        if os.path.isdir(full) and not os.path.islink(full):
            yield from _walk(full, prefix + name + "/")


def tree_line(name: str, full: str) -> bytes:
    """What one path below a folder adds to the folder's digest: kind, name, mode and content."""
    mode = os.lstat(full).st_mode
    kind, content = "other", ""
    if stat.S_ISLNK(mode):
        return f"link\0{name}\0{os.readlink(full)}\n".encode(errors="surrogateescape")
    if stat.S_ISDIR(mode):
        kind = "dir"
    elif stat.S_ISREG(mode):
        kind, content = "file", _content(full)
    line = f"{kind}\0{name}\0{stat.S_IMODE(mode):o}\0{content}\n"
    return line.encode(errors="surrogateescape")


def _content(path: str) -> str:
    import hashlib

    total = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            if not chunk:
                return total.hexdigest()
            total.update(chunk)


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise Fault(f"{path!r} is not an absolute path")
    return path


def _ids(owner: str) -> tuple[int, int]:
    import grp
    import pwd

    user, _, group = owner.partition(":")
    try:
        entry = pwd.getpwnam(user) if user else None
        uid = entry.pw_uid if entry else -1
        gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid if entry else -1
    except KeyError as error:
        raise Fault(f"no such owner here: {owner}") from error
    return uid, gid
