"""The examples in an OpenAPI description as requests, and what is wanted of their answers.

1. ``x-amples`` of an operation are asked as they are: parameters, query, headers, body; status,
   headers and body are wanted, ``/…/`` being a regular expression. ``x-monitor: false`` means
   nobody wants it asked.
2. Otherwise a GET is asked with the example or default of each of its parameters, and one of the
   statuses below 300 that it describes is wanted.
3. Values for all operations are in ``x-default-params``. An operation that lacks a value it needs,
   or changes something and has no examples, is not asked, and why is told.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    Document = dict[str, Any]
    Asked = Union["Example", "NotAsked"]

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_HOLE = re.compile(r"\{([+/]?)([^{}]+)\}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEEPEST = 20


class Example:
    """One request and what is wanted of its answer; ``url`` is a path below the base."""

    def __init__(self, method: str, path: str, request: Document, expect: Document) -> None:
        self.method = method
        self.path = path
        self.headers = {str(k): str(v) for k, v in (request.get("headers") or {}).items()}
        self.body: str | None = None
        body = request.get("body")
        if body is not None:
            self.body = body if isinstance(body, str) else json.dumps(body)
            if not isinstance(body, str):
                self.headers.setdefault("Content-Type", "application/json")
        self.expect = expect


class NotAsked:
    """An operation that could not be asked, and why."""

    def __init__(self, method: str, path: str, why: str) -> None:
        self.text = f"{method.upper()} {path} ({why})"


class _Missing(Exception):
    """A parameter without a value."""


def examples(document: Document) -> Iterator[Asked]:
    """All that a description has, in its order."""
    defaults = document.get("x-default-params") or {}
    for path, item in (document.get("paths") or {}).items():
        item = _resolved(document, item)
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                yield from _of_operation(document, path, method, item, operation, defaults)


def base_path(document: Document) -> str:
    """Where its paths begin, as it says itself."""
    servers = document.get("servers") or []
    url = servers[0].get("url", "") if servers and isinstance(servers[0], dict) else ""
    if "://" in url:
        url = "/" + url.partition("://")[2].partition("/")[2]
    return (document.get("basePath") or url or "").rstrip("/")


def _of_operation(
    document: Document,
    path: str,
    method: str,
    item: Document,
    operation: Document,
    defaults: Document,
) -> Iterator[Asked]:
    if operation.get("x-monitor") is False:
        yield NotAsked(method, path, "x-monitor: false")
        return
    given = operation.get("x-amples") or []
    try:
        for one in given:
            yield _written(method, path, one, defaults)
        if not given and method != "get":
            yield NotAsked(method, path, "no x-amples")
        elif not given:
            listed = [*(item.get("parameters") or []), *(operation.get("parameters") or [])]
            parameters = [_resolved(document, one) for one in listed]
            yield _derived(document, path, operation, parameters, defaults)
    except _Missing as missing:
        yield NotAsked(method, path, str(missing))


def _written(method: str, path: str, ample: Document, defaults: Document) -> Example:
    request, response = ample.get("request") or {}, ample.get("response") or {}
    values = {**defaults, **(request.get("params") or {})}
    target = _expanded(path, values) + _query(request.get("query") or {})
    return Example(str(request.get("method") or method), target, request, _wanted(response))


def _wanted(response: Document) -> Document:
    expect: Document = {"status": [str(response.get("status") or 200)]}
    headers = response.get("headers") or {}
    expect["headers"] = {name: _pattern(str(value)) for name, value in headers.items()}
    body = response.get("body")
    if isinstance(body, str) and body:
        expect["body"] = _pattern(body)
    elif body:
        expect["like"] = body
    return expect


def _pattern(text: str) -> str:
    """``/…/`` is a regular expression, anything else stands for itself."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "/" else re.escape(text)


def like(answer: Any, wanted: Any) -> bool:
    """Whether an answer has all that is wanted of it: every member and element, in its place;
    ``/…/`` is searched for."""
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and all(
            key in answer and like(answer[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(answer, list) and all(
            place < len(answer) and like(answer[place], value) for place, value in enumerate(wanted)
        )
    if isinstance(wanted, str) and len(wanted) > 1 and wanted[0] == wanted[-1] == "/":
        return re.search(wanted[1:-1], str(answer)) is not None
    return bool(answer == wanted) and isinstance(answer, bool) == isinstance(wanted, bool)


def _derived(
    document: Document,
    path: str,
    operation: Document,
    parameters: list[Document],
    defaults: Document,
) -> Example:
    found: dict[str, Document] = {"path": dict(defaults), "query": {}, "header": {}}
    for one in parameters:
        name, where = str(one.get("name")), one.get("in")
        value = _value(document, one)
        if value is None:
            value = defaults.get(name)
        if value is not None and where in found:
            found[where][name] = value
        elif value is None and (one.get("required") or where == "path"):
            raise _Missing(f"no example of {name}")
        elif value is not None and one.get("required"):
            raise _Missing(f"{name} is in {where}")
    if operation.get("requestBody"):
        raise _Missing("it has a body")
    known = [str(code) for code in operation.get("responses") or {} if str(code)[:1] == "2"]
    expect = {"status": [code.lower() for code in known] or ["200-299"]}
    target = _expanded(path, found["path"]) + _query(found["query"])
    return Example("get", target, {"headers": found["header"]}, expect)


def _value(document: Document, parameter: Document) -> Any:
    """Its example, else its default."""
    schema = _resolved(document, parameter.get("schema") or {})
    several = parameter.get("examples")
    for one in several.values() if isinstance(several, dict) else ():
        one = _resolved(document, one)
        if "value" in one:
            return one["value"]
    for holder in (parameter, schema):
        for key in ("example", "x-example", "default"):
            if holder.get(key) is not None:
                return holder[key]
    return None


def _expanded(path: str, values: Document) -> str:
    def filled(hole: re.Match[str]) -> str:
        kind, name = hole.groups()
        value = values.get(name)
        if value is None and kind == "/":
            return ""  # a part of the path that may be left out
        if value is None:
            raise _Missing(f"no example of {name}")
        text = _text(value)
        return text if kind == "+" else ("/" if kind == "/" else "") + _quoted(text)

    return _HOLE.sub(filled, path)


def _query(values: Document) -> str:
    pairs = [
        f"{_quoted(str(name))}={_quoted(_text(one))}"
        for name, value in values.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return "?" + "&".join(pairs) if pairs else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """As urllib's quote does it, which costs a host 10 ms to import."""
    raw = text.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in raw)


def _resolved(document: Document, part: Any) -> Document:
    """What a reference into the description leads to; nothing when it leads nowhere."""
    for _ in range(_DEEPEST):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        part = document
        for step in reference.lstrip("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            part = part.get(name) if isinstance(part, dict) else None
    return {}
