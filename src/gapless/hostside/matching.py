"""Whether an HTTP answer is what was wanted, and in which words to say so."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ABSENT = object()


class UnreadablePattern(Exception):
    """A regular expression that is none."""


def found(pattern: str, text: str) -> bool:
    """Whether a regular expression is found somewhere in a text. Raises UnreadablePattern."""
    import re

    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise UnreadablePattern(f"{pattern!r}: {error}") from error


def status_matches(wanted: Any, status: int) -> bool:
    """``200``, ``"200"``, ``"2xx"``, ``"200-299"``, or a list of those."""
    if isinstance(wanted, (list, tuple)):
        return any(status_matches(one, status) for one in wanted)
    text = str(wanted).strip().lower()
    low, dash, high = text.partition("-")
    if dash:
        return int(low) <= status <= int(high)
    if text.endswith("xx"):
        return status // 100 == int(text[0])
    return status == int(text)


def contains(answer: Any, wanted: Any) -> bool:
    """Whether ``wanted`` is contained in ``answer``.

    Objects: each wanted member is there and contained, at every depth. Lists: each wanted element
    is contained in some element. All else must be equal, and true is not 1.
    """
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and all(
            contains(answer.get(key, _ABSENT), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(answer, list) and all(
            any(contains(element, value) for element in answer) for value in wanted
        )
    return equal(answer, wanted)


def equal(answer: Any, wanted: Any) -> bool:
    """Equality in JSON's sense."""
    if isinstance(answer, bool) or isinstance(wanted, bool):
        return answer is wanted
    return bool(answer == wanted)


def at_pointer(answer: Any, pointer: str) -> Any:
    """The value a JSON pointer leads to; a value no JSON equals when it leads nowhere."""
    for part in pointer.split("/")[1:] if pointer else []:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(answer, dict):
            answer = answer.get(name, _ABSENT)
        elif isinstance(answer, list) and name.isdigit() and int(name) < len(answer):
            answer = answer[int(name)]
        else:
            return _ABSENT
    return answer


class Expectation:
    """The ``expect`` of an http probe."""

    def __init__(self, expect: dict[str, Any]) -> None:
        self.status = expect.get("status", "200-299")
        self.headers: dict[str, str] = expect.get("headers") or {}
        self.body: str | None = expect.get("body")
        self.json: Any = expect.get("json")
        self.path: dict[str, Any] = expect.get("path") or {}

    def misses(self, status: int, headers: Any, body: str) -> list[str]:
        """What is wanted and not so; empty when all is as wanted."""
        missed = []
        if not status_matches(self.status, status):
            missed.append(self._status_words())
        for name, pattern in self.headers.items():
            if not found(pattern, headers.get(name) or ""):
                missed.append(f"header {name} ~ {pattern}")
        if self.body is not None and not found(self.body, body):
            missed.append(f"body ~ {self.body}")
        return missed + self._json_misses(body)

    def words(self) -> str:
        """All that is wanted."""
        parts = [self._status_words()]
        parts += [f"header {name} ~ {pattern}" for name, pattern in self.headers.items()]
        parts += [f"body ~ {self.body}"] if self.body is not None else []
        parts += [f"json {json.dumps(self.json)}"] if self.json is not None else []
        parts += [f"{pointer} = {json.dumps(value)}" for pointer, value in self.path.items()]
        return ", ".join(parts)

    def _status_words(self) -> str:
        many = isinstance(self.status, (list, tuple))
        return "status " + (" or ".join(map(str, self.status)) if many else str(self.status))

    def _json_misses(self, body: str) -> list[str]:
        if self.json is None and not self.path:
            return []
        try:
            answer = json.loads(body)
        except ValueError:
            return ["a JSON answer"]
        missed = []
        if self.json is not None and not contains(answer, self.json):
            missed.append(f"json {json.dumps(self.json)}")
        for pointer, value in self.path.items():
            if not equal(at_pointer(answer, pointer), value):
                missed.append(f"{pointer} = {json.dumps(value)}")
        return missed
