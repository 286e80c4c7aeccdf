"""Where renderers write. A terminal that goes away must never end a rollout."""

from __future__ import annotations

import os
from typing import TextIO

from gapless.render.words import ascii_only


class Output:
    """A text stream whose loss is noticed and then ignored."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.lost = False
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        self._ascii = not encoding.startswith("utf")

    @property
    def terminal(self) -> bool:
        """Whether a person looks at it and it can move its cursor."""
        return self.stream.isatty() and os.environ.get("TERM", "") != "dumb"

    def write(self, text: str) -> None:
        """Write and flush; after the first failure nothing is written any more."""
        if self.lost:
            return
        try:
            self.stream.write(ascii_only(text) if self._ascii else text)
            self.stream.flush()
        except (OSError, ValueError):  # closed pipe, hung-up terminal, closed file
            self.lost = True
