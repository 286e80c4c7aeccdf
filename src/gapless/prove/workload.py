"""What a client of a cluster is asked to do, whatever the cluster."""

from __future__ import annotations

from typing import Protocol


class NotDone(Exception):
    """One attempt that came to nothing, or of which nobody knows; its text is what came back."""


class Workload(Protocol):
    """A client of one cluster, with a place of its own there.

    1. ``write`` and ``read`` are one attempt each: they try nothing again, so that whoever calls
       them sees every error. The next attempt goes to another member where one did not answer.
    2. To write the same value once more does no harm.
    3. A read never comes from a member that may be behind: what was acknowledged has to be there.
    4. They may be cancelled at any moment, and several run at once.
    """

    @property
    def kind(self) -> str:
        """Whose client it is: ``etcd``."""
        ...

    @property
    def place(self) -> str:
        """Where it writes, for people, and how that is removed by hand."""
        ...

    @property
    def addresses(self) -> str:
        """Where it goes, for people."""
        ...

    @property
    def removes(self) -> bool:
        """Whether it can remove what it wrote: not every log can."""
        ...

    async def prepare(self) -> None:
        """Makes its place; harmless where it is there. Raises NotDone."""
        ...

    async def write(self, number: int, value: str) -> None:
        """Returns when it is acknowledged. Raises NotDone, OSError."""
        ...

    async def read(self, number: int) -> str | None:
        """What is there; None where nothing is, and where the place is not. Raises NotDone,
        OSError."""
        ...

    async def clear(self) -> None:
        """Removes its place with all that is in it; harmless where it is gone. Raises NotDone,
        OSError."""
        ...

    async def close(self) -> None:
        """Gives connections back."""
        ...
