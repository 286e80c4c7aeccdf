"""A stream of a command, of which a limited part is kept."""

from __future__ import annotations


class Output:
    """The first and the last half of the limit are kept, what lies between is counted.

    The end is kept because errors are there, the beginning because causes are.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._limit = max(limit, 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        excess = len(self._tail) - (self._limit - self._half)
        if excess > 0:
            del self._tail[:excess]
            self.dropped += excess

    def text(self) -> str:
        """What was kept, decoded with replacement, with a line where something is missing."""
        if not self.dropped:
            return (self._head + self._tail).decode("utf-8", "replace")
        head, tail = self._head.decode("utf-8", "replace"), self._tail.decode("utf-8", "replace")
        return f"{head}\n… {self.dropped} bytes dropped …\n{tail}"
