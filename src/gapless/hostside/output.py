"""A stream of a command, of which a limited part is kept."""

from __future__ import annotations

from gapless.hostside.veil import veil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


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

    def text(self, hidden: Sequence[bytes] = (), *, cut: bool = False) -> str:
        """What was kept without what is ``hidden``, decoded with replacement, with a line where
        something is missing. ``cut``: whoever wrote it was ended in the middle."""
        if not self.dropped:
            return veil(bytes(self._head + self._tail), hidden, cut=cut).decode("utf-8", "replace")
        head = veil(bytes(self._head), hidden, cut=True).decode("utf-8", "replace")
        tail = veil(bytes(self._tail), hidden, begun=True, cut=cut).decode("utf-8", "replace")
        return f"{head}\n… {self.dropped} bytes dropped …\n{tail}"
