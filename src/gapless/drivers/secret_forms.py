"""All that must not be told of a secret: itself, its parts, and each as a program may write it."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote

from gapless.hostside.veil import WORD

_PASSWORD = re.compile(r"://[^:@/\s]*:([^@\s]+)@")
_ENCODED = 6
"""Letters from which base64 says something that is nobody else's."""
_OFFSETS = ((0, 0), (1, 2), (2, 3))
"""Bytes before a secret in base64, and the letters these have a part in."""


def secret_forms(values: Iterable[str]) -> tuple[bytes, ...]:
    """What to look for, the longest first."""
    found = {
        form for value in values if value.strip() for part in _parts(value) for form in _forms(part)
    }
    return tuple(sorted((form for form in found if form.strip()), key=lambda f: (-len(f), f)))


def _parts(value: str) -> Iterator[str]:
    """A header like "Bearer abc" is given back as "abc", too, an address as its password, and of
    several lines any is enough."""
    yield value
    parts = [*value.split()[1:], *value.splitlines(), *_PASSWORD.findall(value)]
    for part in (*parts, *map(unquote, parts)):
        if len(part.strip()) >= WORD:
            yield part.strip()


def _forms(part: str) -> Iterator[bytes]:
    for text in (part, " ".join(part.split())):
        yield raw(text)
        for written in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            yield raw(written[1:-1])
            yield raw(written[1:-1].replace("/", r"\/"))
    yield part.encode("latin-1", "replace").decode("utf-8", "replace").encode()
    plain = raw(part)
    if any(letter > 0x7F for letter in plain) or quote_plus(part, errors="replace") != part:
        yield from (
            one.encode() for one in (quote(plain), quote(plain, safe=""), quote_plus(plain))
        )
    if len(part) >= _ENCODED:
        yield from _base64(plain)


def _base64(plain: bytes) -> Iterator[bytes]:
    """The letters that are the same whatever stands before and behind."""
    for before, shared in _OFFSETS:
        letters = binascii.b2a_base64(bytes(before) + plain, newline=False)
        form = letters[shared : (before + len(plain)) * 8 // 6]
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))


def raw(text: str) -> bytes:
    """As a host prints it; what was no text in the first place is what it was."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
