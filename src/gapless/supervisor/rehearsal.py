"""Whether this code could take the place of a process that runs, found out beside it."""

from __future__ import annotations

import os
import socket

from gapless.supervisor import handed_on
from gapless.supervisor.guard import Guard
from gapless.supervisor.spec import Spec
from gapless.supervisor.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def rehearse(state: dict[str, Any]) -> None:
    """Raises whatever it is that this code could not go on from. Nothing of the real one is
    touched: in the place of each descriptor there is a socket that leads nowhere, and in that of
    each copy, which may end at any time, we ourselves."""
    place, other = socket.socketpair()
    for fd in handed_on.descriptors(state):
        os.dup2(place.fileno(), fd)
    for copy in handed_on.copies(state):
        copy["pid"] = os.getpid()
    Spec.from_json(state["next"])
    guard = Guard(state["run"], *state["guard"])
    Supervisor(Spec.from_json(state["spec"]), guard).restore(state)
    other.close()
