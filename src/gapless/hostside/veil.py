"""Takes secrets out of what was printed, before it is written or sent anywhere."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WORD = 4
"""Bytes from which a part of a secret counts as secret, too."""
_STARS = b"***"


def veil(text: bytes, hidden: Iterable[bytes], *, begun: bool = False, cut: bool = False) -> bytes:
    """The text with ``***`` in the place of each secret, and of the part of one that it begins
    with (``begun``: what came before is missing) or ends with (``cut``)."""
    for secret in hidden:
        text = text.replace(secret, _STARS)
    if begun:
        known = max((_end_of(secret, text) for secret in hidden), default=0)
        text = _STARS + text[known:] if known else text
    if cut:
        known = max((_begin_of(secret, text) for secret in hidden), default=0)
        text = text[: len(text) - known] + _STARS if known else text
    return text


def _begin_of(secret: bytes, text: bytes) -> int:
    # With how many bytes of a secret a text ends; 0 when they are too few to be secret.
    longest = min(len(text), len(secret))
    return next((n for n in range(longest, WORD - 1, -1) if text.endswith(secret[:n])), 0)


def _end_of(secret: bytes, text: bytes) -> int:
    longest = min(len(text), len(secret))
    return next((n for n in range(longest, WORD - 1, -1) if text.startswith(secret[-n:])), 0)
