"""A helper whose process is gone before it was told anything: an error with the reason."""

from __future__ import annotations

import asyncio

import pytest

from gapless.drivers.transports.session import HelperSession, Patience
from gapless.errors import HostFault
from gapless.hostside.bundle import SOURCES_WANTED


class Gone:
    """A stream that says something and breaks when it is written to."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._writes = 0 if said else 1

    async def read(self, count: int) -> bytes:
        said, self._said = self._said[:count], self._said[count:]
        return said

    async def read_exactly(self, count: int) -> bytes:
        raise EOFError

    def write(self, data: bytes) -> None:
        self._writes += 1
        if self._writes > 1:
            raise BrokenPipeError

    async def drain(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def epitaph(self) -> tuple[int | None, str]:
        return 1, "This account is currently not available."


@pytest.mark.parametrize("said", [b"", SOURCES_WANTED], ids=["at once", "asking for the sources"])
def test_a_helper_that_is_gone_is_told_as_such(said: bytes) -> None:
    session = HelperSession("web1", Gone(said), patience=Patience(start=5.0))
    with pytest.raises(HostFault, match="did not start") as caught:
        asyncio.run(session.start(None))
    assert "not available" in caught.value.evidence
