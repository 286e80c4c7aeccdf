"""What makes two lines of a log the same message: all but numbers, names of things and times."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 4096
_SAMPLE = 200
_CUT = "…"
_RULES = (
    (
        re.compile(
            r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
        ),
        "<t>",
    ),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+"), "<url>"),
    (re.compile(r"\"(?:[^\"\\]|\\.)*\"|(?<!\w)'[^']*'(?!\w)|`[^`]*`"), "<text>"),
    (re.compile(r"(?<![\w/])(?:/[\w.@%+~-]+){2,}/?"), "<path>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"\d+"), "<n>"),
    (re.compile(r"<n>(?:[.:,-]<n>)+"), "<n>"),
    (re.compile(r"\s+"), " "),
)
"""In this order: what is longer comes first. A word of letters alone is never a number."""

_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|credential|authorization|cookie)s?"
    r"[\"']?\s*[:=]\s*[\"']?)((?:bearer |basic )?[^\s\"',;&}]+)",
    re.IGNORECASE,
)
_USER = re.compile(r"(://[^:@/\s]*:)[^@\s/]+(@)")
_BEARER = re.compile(r"\b((?:bearer|basic) )[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def shape(message: str) -> str:
    """The message without what differs from one time to the next."""
    text = message[:_LONGEST]
    for rule, word in _RULES:
        text = rule.sub(word, text)
    return text.strip()


def fingerprint(message: str) -> str:
    """Sixteen letters, the same for all messages of one shape."""
    return hashlib.sha1(shape(message).encode("utf-8", "replace")).hexdigest()[:16]  # noqa: S324


def sample(message: str) -> str:
    """The message as a person may see it: one line, short, what looks like a secret is hidden."""
    line = " ".join(message[:_LONGEST].split())
    line = _SECRET.sub(r"\1***", line)
    line = _BEARER.sub(r"\1***", _USER.sub(r"\1***\2", line))
    return line if len(line) <= _SAMPLE else line[: _SAMPLE - 1] + _CUT
