"""What an earlier call left half made."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import time

from gapless.hostside.container_engine import BREATH, Engine
from gapless.hostside.labels import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


@contextlib.contextmanager
def alone(engine: Engine, labels: Sequence[str]) -> Iterator[None]:
    """Wait until nobody else makes a container with these labels. Whoever dies lets go: the name is
    that of a socket which no file holds."""
    name = "\0gapless." + key(engine, labels)
    with socket.socket(socket.AF_UNIX) as held:
        while not taken(held, name):
            time.sleep(BREATH)
        yield


def taken(held: socket.socket, name: str) -> bool:
    """Whether the name is ours now."""
    try:
        held.bind(name)
    except OSError:
        return False
    return True


class Making:
    """Of containers with these labels one more is made by compose. Which were there before is kept
    in a file meanwhile: so what compose created for a call that did not live to its end is known
    from what a person created."""

    def __init__(self, engine: Engine, labels: Sequence[str]) -> None:
        folder = "/run" if os.access("/run", os.W_OK) else temporary()
        name = f"gapless-making-{os.getuid()}-{key(engine, labels)}.json"
        self._engine, self._labels = engine, labels
        self._path = os.path.join(folder, name)

    def begin(self) -> list[dict[str, Any]]:
        """All that are there, without what is left of such a call."""
        found, before = self._engine.labelled(self._labels), self._before()
        left = [one for one in found if is_template(one) and one["Id"] not in before]
        for one in left if before else ():
            self._engine.ask("DELETE", f"/containers/{one['Id']}?v=1")
            found.remove(one)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(self._path, flags, 0o600), "w") as file:
            json.dump(["", *(one["Id"] for one in found)], file)
        return found

    def _before(self) -> list[str]:
        """Empty where no call was cut off. What somebody else has put there says nothing."""
        try:
            with open(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
                ours = os.fstat(file.fileno()).st_uid == os.getuid()
                known: list[str] = json.load(file) if ours else []
        except (OSError, ValueError):
            return []
        return known

    def done(self) -> None:
        """Nothing is half made any more."""
        os.unlink(self._path)


def temporary() -> str:
    """Where a user may write who is not root."""
    import tempfile  # takes longer than most questions

    return tempfile.gettempdir()


def key(engine: Engine, labels: Sequence[str]) -> str:
    """Of the containers with these labels; a host may have several engines, with a project of the
    same name in each."""
    return hashlib.sha256("\n".join((engine.path, *sorted(labels))).encode()).hexdigest()[:32]


def is_template(one: dict[str, Any]) -> bool:
    """Whether compose created it, for us or for a person, and nobody started it."""
    return one["State"]["Status"] == "created" and not one["Config"]["Labels"].get(OWN + "slot")
