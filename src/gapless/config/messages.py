"""What the models object to, in words a person can act on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from gapless.config.keys import keys_at
from gapless.config.problems import Findings, Place, did_you_mean
from gapless.config.tree import Node, Table, locate

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
_GOT = {dict: "a mapping", list: "a list", tuple: "a list", bool: "true or false", str: "text"}


def explain(error: ValidationError, root: Node, model: type[BaseModel], findings: Findings) -> None:
    """Every objection of a validation, at its place in the file."""
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        text, hint = wording(detail, model)
        findings.add(_place(root, path, detail["type"]), text, hint)


def _place(root: Node, path: tuple[str | int, ...], kind: str) -> Place:
    at_key = kind in ("extra_forbidden", "missing") or path[-1:] == (_KEY,)
    key, value, node = locate(root, path[:-1] if kind == "missing" else path)
    return key if at_key or isinstance(node, Table) else value


def wording(detail: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """What is wrong, and a hint."""
    kind, path = detail["type"], detail["loc"]
    key = _name(path)
    if kind == "extra_forbidden":
        return f"unknown key '{path[-1]}'", did_you_mean(str(path[-1]), keys_at(model, path[:-1]))
    if kind == "missing":
        return f"missing key '{path[-1]}'{_inside(path)}", ""
    if kind == "literal_error":
        return _choice(key, detail)
    if kind in _WANTED:
        return _wrong_type(key, detail)
    if kind == "value_error":
        return f"{key}: {detail['ctx']['error']}" if key else str(detail["ctx"]["error"]), ""
    return f"{key}: {_plain(detail)}", ""


def _name(path: tuple[str | int, ...]) -> str:
    """The last key of a path; places in lists and tags of unions are no keys."""
    words = [step for step in path if isinstance(step, str) and step not in _TAGS]
    return words[-1] if words else ""


_KEY = "[key]"
"""Behind a key that is itself what is wrong."""
_TAGS = frozenset((_KEY, "address", "mapping"))


def _inside(path: tuple[str | int, ...]) -> str:
    name = _name(path[:-1])
    return f" in '{name}'" if name else ""


def _choice(key: str, detail: Mapping[str, Any]) -> tuple[str, str]:
    options = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    given = detail["input"]
    shown = f"'{given}'" if isinstance(given, str) else _got(given)
    close = did_you_mean(given, options) if isinstance(given, str) else ""
    hint = close if close.startswith("did") else f"one of {', '.join(options)}"
    return f"{key}: {shown} is not possible", hint


def _wrong_type(key: str, detail: Mapping[str, Any]) -> tuple[str, str]:
    wanted, given = _WANTED[detail["type"]], detail["input"]
    number = isinstance(given, (int, float)) and not isinstance(given, bool)
    hint = "put it in quotes" if wanted == "text" and (number or given in (True, False)) else ""
    return f"{key}: expected {wanted}, got {_got(given)}", hint


def _got(given: Any) -> str:
    if given is None:
        return "nothing"
    return _GOT.get(type(given), "a number")


def _plain(detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx", {})
    if "ge" in context:
        return f"must be {context['ge']} or more"
    if "gt" in context:
        return f"must be more than {context['gt']}"
    if "le" in context:
        return f"must be {context['le']} or less"
    if "pattern" in context:
        return f"{detail['input']!r} does not match {context['pattern']}"
    if detail["type"] == "too_long":
        return f"expected {context['max_length']} values"
    return str(detail["msg"]).lower()
