"""Looking words up: error codes, events, keys of the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gapless.config.descriptions import descriptions
from gapless.config.project import ProjectConfig
from gapless.config.quantities import format_duration
from gapless.errors import GaplessError, UsageError
from gapless.events.event import TYPES
from gapless.render.codes import render_code


def explain(word: str) -> str:
    """What the word means. Raises UsageError with what is near it."""
    codes = {kind.code: kind for kind in error_kinds() if "code" in vars(kind)}
    for code in (word.upper(), f"GL-{word}"):
        if code in codes:
            return render_code(codes[code])
    if word in TYPES:
        return f"{word}\n   {TYPES[word]}\n"
    keys = dict(key_docs())
    found = {key: text for key, text in keys.items() if key == word or key.endswith(f".{word}")}
    if found:
        return "".join(f"{key}\n   {text}\n" for key, text in found.items())
    close = get_close_matches(word, [*codes, *TYPES, *keys], n=3)
    raise UsageError(
        f"nothing is called '{word}'" + (f"; near: {', '.join(close)}" if close else ""),
        next="gapless explain exit-codes",
    )


def error_kinds(root: type[GaplessError] = GaplessError) -> Iterator[type[GaplessError]]:
    """Every kind of error there is, the general before the special."""
    import gapless.engine.perform  # noqa: F401 - has a kind of its own

    yield root
    for kind in root.__subclasses__():
        yield from error_kinds(kind)


def key_docs(model: type[BaseModel] = ProjectConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of gapless.yaml with its words; names chosen by people are left out."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = list(_sections(field.annotation))
        said = descriptions(model)[name] or " ".join(_about(section) for section in inner)
        text = said + _default(field)
        if text:
            yield key, " ".join(text.split())
        for section in inner:
            yield from key_docs(section, f"{key}.")


def _default(field: FieldInfo) -> str:
    """What holds when it is left out, where that can be said in a word."""
    value = field.default
    if isinstance(value, float):
        return f" Default: {format_duration(value)}."
    return f" Default: {value}." if isinstance(value, (str, int)) and value != "" else ""


def _about(section: type[BaseModel]) -> str:
    return (inspect.getdoc(section) or "").split("\n\n")[0]


def _sections(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        return
    for part in get_args(kind):
        yield from _sections(part)
