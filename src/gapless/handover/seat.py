"""The folder that both copies share, as one of them has it: its own life, ``active.lock``, and
``state.json``."""

from __future__ import annotations

import time
from pathlib import Path

from gapless.handover import state_file
from gapless.handover.alive import Flock, is_alive, lock_life
from gapless.handover.claims.store import NoAnswer
from gapless.handover.endings import BadVariable, Obsolete
from gapless.handover.environment import Environment
from gapless.handover.standing import Standing, standing


class Seat:
    """Taking it raises BadVariable or Obsolete: nothing is connected yet."""

    def __init__(self, environment: Environment, folder: Path, owner: str) -> None:
        self._environment, self._folder = environment, folder
        self._born = time.monotonic()
        self._age = environment.age(time.time() * 1000)
        try:
            life = lock_life(folder, environment.id, owner)
        except OSError as error:
            raise BadVariable(
                "HANDOVER_DIR", str(folder), f"alive-{environment.id}.lock: {error.strerror}"
            ) from error
        if life is None:
            raise BadVariable("HANDOVER_ID", environment.id, "a copy with this id is alive")
        self._life = life
        self.restarted = life.existed
        self._active = Flock(folder / "active.lock")
        self.problem = ""
        """Of ``state.json``."""
        self.state: state_file.StateFile | None = None
        self.read()
        try:
            self.standing = self.stand()
        except Obsolete:
            self.leave()
            raise

    def read(self) -> state_file.StateFile | None:
        """``state.json``, anew."""
        reading = state_file.read(self._folder)
        self.state, self.problem = reading.state, reading.problem
        return reading.state

    def stand(self) -> Standing:
        """By what was read last. Raises Obsolete."""
        found = standing(self._environment, self.state, self.age)
        if found is Standing.OBSOLETE:
            latest = self.state.latest if self.state else 0
            raise Obsolete(self._environment.id, self._environment.epoch, latest)
        return found

    @property
    def age(self) -> float:
        """Seconds since the orchestrator started the copy; the clock is looked at once."""
        return self._age + time.monotonic() - self._born

    @property
    def holds_active(self) -> bool:
        """As of the last try."""
        return self._active.held

    def try_active(self) -> bool:
        """Raises OSError."""
        return self._active.try_lock()

    def let_active_go(self) -> None:
        """For others who wait."""
        self._active.release()

    def is_alive(self, owner: str) -> bool:
        """Raises NoAnswer."""
        try:
            return is_alive(self._folder, owner)
        except OSError as error:
            raise NoAnswer(f"whether {owner} lives: {error.strerror}") from error

    def leave(self) -> None:
        """The other copy may take over."""
        self._active.release()
        self._life.release()
