"""The answer to one HTTP request, read piece by piece as it comes.

1. A head: the status line and the fields. Heads of 1xx are passed over.
2. A body: in chunks, of a told length, or all until the other end closes.
3. It is ``over`` when it is complete, as long as we read, or broken (then ``fault`` says how).
"""

from __future__ import annotations

_BLANK = (b"\r\n\r\n", b"\n\n")
_LONGEST_LINE = 1024
"""Of a chunk's size: nothing sane comes near."""
_LONGEST_NUMBER = 18
"""Digits of a length; ``int`` refuses very long ones."""
_BODILESS = (204, 304)
_SWITCHING = 101


class HttpAnswer:
    """What has come of it. At most ``most`` bytes are read; the rest of a longer one is left."""

    def __init__(self, most: int = 65536) -> None:
        self.room = most
        """Bytes that it still wants."""
        self.status = 0
        """0 until the head is there."""
        self.reason = ""
        self.body = b""
        self.over = self.cut = False
        self.fault = ""
        self._raw = b""
        self._step = self._head
        self._left = 0

    def feed(self, data: bytes) -> None:
        """More of it."""
        self.room -= len(data)
        self._raw += data
        while not self.over and self._step():
            pass
        if not self.over and self.room <= 0:
            self._full()

    def closed(self) -> None:
        """Nothing more will come."""
        if self.over:
            return
        self.over = True
        if self._step == self._everything:
            return
        if self.status:
            self.fault = f"closed in the middle of its answer, after {len(self.body)} bytes of body"
        else:
            self.fault = "closed in the middle of its answer" if self._raw else "closed, no answer"

    def _full(self) -> None:
        self.over = self.cut = True
        if not self.status:
            self.fault = "a head without an end"
        elif self._step == self._counted:
            self.body += self._raw

    def _broken(self, how: str) -> bool:
        self.over, self.fault = True, how
        return False

    def _complete(self) -> bool:
        self.over = True
        return False

    # Each step takes what it needs of ``_raw`` and says whether there is another to go on with.

    def _head(self) -> bool:
        if not (self._raw.startswith(b"HTTP/1.") or b"HTTP/1.".startswith(self._raw)):
            return self._broken(f"not HTTP: {self._raw[:80]!r}")
        at, mark = min(
            ((at, mark) for mark in _BLANK if (at := self._raw.find(mark)) >= 0), default=(-1, b"")
        )
        if at < 0:
            return False
        first, *fields = self._raw[:at].decode("latin-1").split("\n")
        self._raw = self._raw[at + len(mark) :]
        words = first.split(None, 2)
        if len(words) < 2 or not _digits(words[1], 3):
            return self._broken(f"not HTTP: {first[:80]!r}")
        status = int(words[1])
        if 100 <= status < 200 and status != _SWITCHING:
            return True
        self.status, self.reason = status, "".join(words[2:]).strip()
        return self._body_of(_named(fields))

    def _body_of(self, fields: dict[str, str]) -> bool:
        length = fields.get("content-length")
        if self.status in _BODILESS or self.status == _SWITCHING:
            return self._complete()
        if fields.get("transfer-encoding", "").lower().split(",")[-1].strip() == "chunked":
            self._step = self._size
        elif "transfer-encoding" in fields or length is None:
            self._step = self._everything
        elif not _digits(length) or len(length) > _LONGEST_NUMBER:
            return self._broken(f"a Content-Length of {length[:40]!r}")
        else:
            self._step, self._left = self._counted, int(length)
        return True

    def _everything(self) -> bool:
        self.body += self._raw
        self._raw = b""
        return False

    def _counted(self) -> bool:
        if len(self._raw) < self._left:
            return False
        self.body = self._raw[: self._left]
        return self._complete()

    def _size(self) -> bool:
        line, found, rest = self._raw.partition(b"\n")
        if not found:
            return len(line) > _LONGEST_LINE and self._broken("a chunk without a size")
        size = line.partition(b";")[0].strip()
        if not size or size.strip(b"0123456789abcdefABCDEF"):
            return self._broken(f"a chunk of size {size[:40]!r}")
        self._raw, self._left = rest, int(size, 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take()
        if self._left:
            return False
        line, found, rest = self._raw.partition(b"\n")
        if line.strip():
            return self._broken("a chunk longer than its size")
        if found:
            self._raw, self._step = rest, self._size
        return bool(found)

    def _take(self) -> None:
        """Of the chunk, what is there."""
        part = self._raw[: self._left]
        self.body += part
        self._raw = self._raw[len(part) :]
        self._left -= len(part)

    def _trailer(self) -> bool:
        line, found, rest = self._raw.partition(b"\n")
        if not found:
            return False
        self._raw = rest
        return True if line.strip() else self._complete()


def _named(fields: list[str]) -> dict[str, str]:
    found = {}
    for field in fields:
        name, colon, value = field.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _digits(text: str, length: int = 0) -> bool:
    """Plain ones: ``int`` would take signs, spaces and underscores, too."""
    return text.isascii() and text.isdigit() and length in (0, len(text))
