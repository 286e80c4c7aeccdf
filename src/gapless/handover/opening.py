"""From the environment to a copy that has its place. Whatever is wrong is said before anything is
connected."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from gapless.handover.claims.urls import store_of
from gapless.handover.copy import Copy
from gapless.handover.environment import Environment, read
from gapless.handover.seat import Seat
from gapless.handover.units import Units


def environment_of(variables: Mapping[str, str], lock: str) -> Environment:
    """``lock`` is where the program keeps claims unless HANDOVER_LOCK says otherwise. Raises
    BadVariable."""
    environment = read(variables)
    store_of(environment.lock or lock or "none", environment.folder, "", "", _nobody)
    return replace(environment, lock=environment.lock or lock)


def open_copy(environment: Environment, units: Units, limit: float) -> Copy:
    """Raises BadVariable, Obsolete."""
    # nobody can be mistaken for it, not even a later process with the same number
    owner = f"{environment.id}:{environment.epoch}:{os.getpid()}:{secrets.token_hex(4)}"
    seat = Seat(environment, environment.folder, owner) if environment.folder else None
    is_alive: Callable[[str], bool] = seat.is_alive if seat else _nobody
    url = environment.lock or ("sqlite:" if seat else "none")
    store = store_of(url, environment.folder, environment.namespace, owner, is_alive)
    return Copy(environment, seat, store, units, limit, owner)


def _nobody(owner: str) -> bool:
    return False
