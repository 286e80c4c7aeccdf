"""Claims as files in a folder: a claim is there when its name can be linked, and only one can.

``PATH/NS/HH/ID`` holds who claimed it, ``ID.1``, ``ID.2`` … who took it over from the dead, and
``ID.done`` says that it is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gapless.handover.claims.store import LOST, WON, Answer, Busy, NoAnswer

_PLAIN = frozenset((string.ascii_letters + string.digits + "_-").encode())
_LONGEST = 200
_BITE = 1000


class DirectoryStore:
    """One for each process; it has nothing open."""

    remote = False

    def __init__(
        self, path: Path, namespace: str, owner: str, is_alive: Callable[[str], bool]
    ) -> None:
        self.horizon_ms = 900_000
        self._path = path
        self._folder = path / encoded(namespace)
        self._owner, self._is_alive = owner, is_alive
        self._numbers = itertools.count()
        self._own = hashlib.sha256(owner.encode()).hexdigest()[:16]
        self._unswept: Iterator[Path] = iter(())

    def open(self) -> None:
        """Makes the folders, and sees that they can be written."""
        with _answering():
            self._make(self._folder)
            self._written(self._folder).unlink()

    def claim(self, event_id: str, *, done: bool) -> Answer:
        """As the store says."""
        with _answering():
            claim = self._at(event_id)
            if not claim.exists():
                if not claim.parent.is_dir():
                    self._make(claim.parent)
                if done:
                    self._mark(claim)
                if self._linked(claim):
                    return WON
            return self._holder(claim)

    def take_over(self, event_id: str, dead: str) -> Answer:
        """Compares and sets in one: of two that try, one wins."""
        with _answering():
            claim = self._at(event_id)
            last, number = self._last(claim)
            if _owner_of(last) == dead and self._linked(_numbered(claim, number + 1)):
                return WON
            return self._holder(claim)

    def finish(self, event_id: str) -> None:
        """Marks the own claim as done."""
        with _answering():
            self._mark(self._at(event_id))

    def is_alive(self, owner: str) -> bool:
        """Whether this process lives."""
        return self._is_alive(owner)

    def sweep(self) -> int:
        """One folder of the 256 at a time."""
        before = time.time() - self.horizon_ms / 1000
        gone = 0
        with _answering():
            folder = next(self._unswept, None)
            if folder is None:
                folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
                self._unswept = iter([found for found in folders if found.is_dir()])
                return 0
            with os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat().st_mtime < before:
                            Path(entry.path).unlink()
                            gone += 1
                    if gone == _BITE:
                        break
        return gone

    def close(self) -> None:
        """Nothing is open."""

    def _make(self, folder: Path) -> None:
        for missing in (self._path, self._folder, folder):
            _make_like_parent(missing)

    def _at(self, event_id: str) -> Path:
        digest = hashlib.sha256(event_id.encode(errors="surrogatepass")).hexdigest()
        return self._folder / digest[-2:] / encoded(event_id)

    def _linked(self, name: Path) -> bool:
        written = self._written(name.parent)
        try:
            os.link(written, name)
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True

    def _written(self, folder: Path) -> Path:
        """A whole claim under a name that nobody looks at."""
        path = folder / f".{self._own}.{next(self._numbers)}"
        _write(path, f"{self._owner}\n".encode())
        return path

    def _mark(self, claim: Path) -> None:
        with contextlib.suppress(FileExistsError):
            _write(claim.with_name(f"{claim.name}.done"), b"")

    def _holder(self, claim: Path) -> Answer:
        if claim.with_name(f"{claim.name}.done").exists():
            return LOST
        return Answer(won=False, pending_of=_owner_of(self._last(claim)[0]))

    def _last(self, claim: Path) -> tuple[Path, int]:
        number = 0
        while _numbered(claim, number + 1).exists():
            number += 1
        return _numbered(claim, number), number


def encoded(text: str) -> str:
    """As a file name: percent-encoded, or its digest where that is too long."""
    raw = text.encode(errors="surrogatepass")
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)
    return name if len(name) <= _LONGEST else f"~{hashlib.sha256(raw).hexdigest()}"


def _numbered(claim: Path, number: int) -> Path:
    return claim.with_name(f"{claim.name}.{number}") if number else claim


def _owner_of(claim: Path) -> str:
    try:
        return claim.read_text().partition("\n")[0]
    except FileNotFoundError as error:
        raise Busy("a claim was swept away while it was looked at") from error


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600 | path.parent.stat().st_mode & 0o666)
        # a disk that is full takes less than all
        if content and os.write(fd, content) != len(content):
            raise OSError(28, "No space left on device")
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(fd)


def _make_like_parent(folder: Path) -> None:
    """Who may write the folder may write in those below: copies run as different accounts."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
        folder.chmod(0o700 | folder.parent.stat().st_mode & 0o777)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoAnswer(f"{error.strerror}: {error.filename or 'claim'}") from error
