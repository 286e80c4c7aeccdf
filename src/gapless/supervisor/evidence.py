"""What an attempt is told with: what was asked, what came back, what was wanted."""

from __future__ import annotations

from collections.abc import Callable

from gapless.supervisor.http_answer import HttpAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.supervisor.spec import Ready

Answered = Callable[[bool, str, str], None]
"""Whether it was good, what happened, and the words of the other side."""

LONGEST_EVIDENCE = 200
_LEAST_QUESTION, _LONGEST_WISH = 80, 50
MOST_OF_OUTPUT = 2048


def evidence(ready: Ready, what: str, words: str) -> str:
    """In one line: ``GET 127.0.0.1:8080/health -> 503 starting (wanted 200)``."""
    command = ready.kind == "command"
    wanted = _cut(_plain(_wish(ready)), _LONGEST_WISH)
    came, words = _plain(what), _plain(words)
    if words:
        words = (" " if what.isdigit() and not command else ": ") + words
    room = LONGEST_EVIDENCE - len(f" ->  (wanted {wanted})")
    # A long question gives way to the answer, but not all of it.
    asked = _plain(_question(ready))
    asked = _cut(asked, max(_LEAST_QUESTION, room - len(came) - len(words)))
    came = _cut(came, room - len(asked))
    # The end of an output tells most; of an answer, the beginning.
    shorten = _cut_front if command else _cut
    return f"{asked} -> {came}{shorten(words, room - len(asked + came))} (wanted {wanted})"


def _question(ready: Ready) -> str:
    return {
        "command": " ".join(ready.command),
        "http": f"GET {ready.target}",
        "docker": f"docker container {ready.target}",
    }.get(ready.kind, f"connect {ready.target}")


def _wish(ready: Ready) -> str:
    status = " or ".join(map(str, ready.status))
    return {
        "command": "status 0",
        "http": f"{status} with {ready.body!r}" if ready.body else status,
        "docker": "running and healthy",
    }.get(ready.kind, "a listener")


def status(answer: HttpAnswer) -> str:
    """And what is wrong with the answer."""
    parts = (str(answer.status) if answer.status else "", answer.fault)
    return ", ".join(word for word in parts if word)


def words(answer: HttpAnswer) -> str:
    """What it says."""
    return text(answer.body[:MOST_OF_OUTPUT]) or answer.reason


def why(error: OSError | ValueError) -> str:
    """In words."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror + (f": {error.filename}" if error.filename else "")


def text(data: bytes) -> str:
    """Whatever it is."""
    return data.decode(errors="backslashreplace")


def _plain(text: str) -> str:
    """In one line, and nothing in it that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else (text[: max(0, room - 3)] + "...")[:room]


def _cut_front(text: str, room: int) -> str:
    return text if len(text) <= room else (": ..." + text[len(text) - max(0, room - 5) :])[:room]
