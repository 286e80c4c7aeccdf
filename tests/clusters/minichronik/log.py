"""The entries of a partition, in memory; its file has what was flushed and no more.

A killed process loses what it had not flushed, as a machine that loses power does with what its
kernel had not written. An entry in the file is its epoch, its length and its bytes.
"""

from __future__ import annotations

import asyncio
import bisect
import os
import struct
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct(">QI")


class Entry(NamedTuple):
    epoch: int
    """Of the leader that took it: never lower than that of the entry before."""
    value: bytes

    def packed(self) -> bytes:
        return _HEAD.pack(self.epoch, len(self.value)) + self.value


class Log:
    """Entries have their places as offsets."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._entries = _unpacked(path.read_bytes())
        self._flushed = len(self._entries)
        self._writing = 0
        """Where what is being written ends; lower when it is cut meanwhile."""
        self._flushing = asyncio.Lock()
        self._closed = False

    @property
    def end(self) -> int:
        """The offset of what comes next."""
        return len(self._entries)

    def epoch_before(self, offset: int) -> int:
        return self._entries[offset - 1].epoch if offset else 0

    def read(self, start: int, end: int) -> list[Entry]:
        return self._entries[start:end]

    def append(self, entry: Entry) -> int:
        """Its offset."""
        self._entries.append(entry)
        return self.end - 1

    def truncate(self, end: int) -> None:
        del self._entries[end:]
        self._flushed = min(self._flushed, end)
        self._writing = min(self._writing, end)

    def agrees(self, end: int, epoch: int) -> bool:
        """Whether one whose last entry before ``end`` is of this epoch has the same up to there."""
        return end <= self.end and self.epoch_before(end) == epoch

    def common(self, end: int, epoch: int) -> int:
        """Where one that does not agree has to cut, at most: it asks again from there."""
        older = bisect.bisect_right(self._entries, epoch, key=lambda entry: entry.epoch)
        return max(0, min(older, end - 1))

    async def flush(self) -> None:
        """Everything that is there now is on disk when this returns."""
        async with self._flushing:
            if self._closed:
                return
            fresh = self._entries[self._flushed :]
            start = sum(len(entry.packed()) for entry in self._entries[: self._flushed])
            self._writing = self.end
            await asyncio.to_thread(self._write, start, b"".join(e.packed() for e in fresh))
            self._flushed = self._writing

    def close(self) -> None:
        """Nothing is written any more."""
        self._closed = True
        os.close(self._file)

    def _write(self, start: int, data: bytes) -> None:
        os.ftruncate(self._file, start)
        os.pwrite(self._file, data, start)
        os.fsync(self._file)


def _unpacked(data: bytes) -> list[Entry]:
    """A write that did not come to its end is no entry."""
    entries, at = [], 0
    while at + _HEAD.size <= len(data):
        epoch, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + length > len(data):
            break
        entries.append(Entry(epoch, data[at : at + length]))
        at += length
    return entries
