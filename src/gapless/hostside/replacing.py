"""A file replaced by somebody who has read it: no reader sees half of it, and what somebody else
wrote meanwhile is not lost.

1. The fence is compared, and the service stays locked to the end: no newer rollout begins between.
2. The file's folder is locked as by flock(1): so is every program that changes a file there by our
   order.
3. Its content has to be what was read; else nothing happens.
4. The new one is written beside it, with its mode and owner, synced and renamed over it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

from gapless.hostside import claims, files
from gapless.hostside.calls import Call
from gapless.hostside.faults import from_os_error
from gapless.hostside.store import open_store, try_lock
from gapless.hostside.wire import unpack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_PATIENCE, _POLL = 10.0, 0.01


def replace(call: Call) -> bool:
    """The verb: False where it was changed meanwhile, or somebody is at it all the time."""
    args = call.args
    with _admitted(args["fence"], call):
        try:
            return _replace(os.path.realpath(args["path"]), args["old"], args["content"], call)
        except OSError as error:
            raise from_os_error(error, "cannot replace") from error


@contextlib.contextmanager
def _admitted(fence: dict[str, Any] | None, call: Call) -> Iterator[None]:
    if fence is None:
        yield
        return
    store = open_store()
    with store.locked(claims.lock_name(fence["service"]), call):
        claims.admit(store, fence)
        yield


def _replace(path: str, old: str, content: str, call: Call) -> bool:
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + _PATIENCE
        while not try_lock(folder):
            if time.monotonic() > until:
                return False
            call.sleep(_POLL)
        if files.digest_of(path) != old:
            return False
        found = os.stat(path)
        mode, owner = stat.S_IMODE(found.st_mode), _owner_to_keep(found)
        files.write_atomically(path, unpack_bytes(content), mode, owner)
        return True
    finally:
        os.close(folder)


def _owner_to_keep(found: os.stat_result) -> tuple[int, int] | None:
    """What may be kept of it: only root gives files away."""
    if os.geteuid() == 0:
        return found.st_uid, found.st_gid
    return (-1, found.st_gid) if found.st_gid in os.getgroups() else None
