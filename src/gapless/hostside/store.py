"""What the host must not forget, in one folder: written whole, under locks, for its owner only."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time

from gapless.hostside import files
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.payload import SETTINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_POLL = 0.01
_LOCK_PATIENCE = 10.0


class Store:
    """The state folder: services/, actions/, sessions/, audit.jsonl."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, *parts: str) -> str:
        """A path in it."""
        return "/".join((self.root, *parts))

    def place(self) -> str:
        """Which folder of which machine this is: two names of one host give the same."""
        with os_words("cannot use the state folder"):
            status = os.stat(self.root)
            boot = files.read_text("/proc/sys/kernel/random/boot_id").strip()
        return f"{boot} {status.st_dev}:{status.st_ino}"

    def prepare(self) -> None:
        """Make the folders that are missing."""
        hint = "make it a folder this login may write, or choose another: state_dir in gapless.yaml"
        with os_words("cannot use the state folder", hint):
            for folder in (self.root, *map(self.path, ("services", "actions", "sessions"))):
                os.makedirs(folder, mode=0o700, exist_ok=True)

    def read(self, path: str) -> dict[str, Any] | None:
        """A record, None when there is none."""
        try:
            text = files.read_text(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, "cannot read the host's state") from error
        try:
            record: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise Fault(f"the host's state is damaged: {path}", evidence=str(error)) from error
        return record

    def write(self, path: str, record: dict[str, Any]) -> None:
        """Replace a record; it is on the disk when this returns."""
        with os_words("cannot write the host's state"):
            files.write_atomically(path, json.dumps(record, indent=1).encode() + b"\n")

    def note(self, entry: dict[str, Any]) -> None:
        """Append to the host's own audit trail."""
        line = json.dumps({"at": time.time(), **entry}).encode() + b"\n"
        with os_words("cannot write the audit trail"):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.path("audit.jsonl"), flags, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def locked(self, name: str, call: Call) -> Iterator[None]:
        """Exclude every other helper, also of other controllers, from ``name``."""
        path = self.path(name + ".lock")
        with os_words("cannot lock the host's state"):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + _LOCK_PATIENCE
            while not try_lock(descriptor):
                if time.monotonic() > until:
                    raise Fault(f"the host's state is busy: {path}", kind="deadline")
                call.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)


def open_store() -> Store:
    """The host's state folder, ready."""
    store = Store(SETTINGS.get("state_dir") or default_root())
    store.prepare()
    return store


def default_root() -> str:
    """Where the state is when nobody chose a place."""
    if os.geteuid() == 0:
        return "/var/lib/gapless"
    return os.path.expanduser("~/.local/state/gapless")


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: str) -> bool:
    """Whether anybody holds the lock of a file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def file_name(name: str) -> str:
    """A service's name as a file name: what is not plain becomes %XX."""
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
    text = "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in name.encode())
    return "%2E" + text[1:] if text.startswith(".") else text


@contextlib.contextmanager
def os_words(doing: str, hint: str = "") -> Iterator[None]:
    """Turn the operating system's errors into faults that say what we were doing."""
    try:
        yield
    except OSError as error:
        fault = from_os_error(error, doing)
        fault.hint = hint
        raise fault from error
