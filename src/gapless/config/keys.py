"""Which keys the models know at a place, for did-you-mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from gapless.config.base import Section


def keys_at(model: type[BaseModel], path: Iterable[str | int]) -> tuple[str, ...]:
    """Keys that the mapping at ``path`` may have; none when it is not of ours."""
    types: list[Any] = [model]
    for step in path:
        types = _inside(types, step) or types
    return tuple(key for section in _sections(types) for key in keys_of(section))


def keys_of(section: type[BaseModel]) -> tuple[str, ...]:
    """Keys of a section as written in a file."""
    return tuple(field.alias or name for name, field in section.model_fields.items())


def _inside(types: list[Any], step: str | int) -> list[Any]:
    found: list[Any] = []
    for kind in types:
        if _is_section(kind):
            fields = zip(keys_of(kind), kind.model_fields.values(), strict=True)
            found += [field.annotation for key, field in fields if key == step]
        elif getattr(kind, "__origin__", None) is dict:
            found.append(get_args(kind)[1])
        else:
            found += _inside(
                [a for a in get_args(kind) if isinstance(a, type) or get_args(a)], step
            )
    return found


def _sections(types: list[Any]) -> list[type[Section]]:
    found: list[type[Section]] = []
    for kind in types:
        if _is_section(kind):
            found.append(kind)
        else:
            found += _sections(_parts(kind))
    return found


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _parts(kind: Any) -> list[Any]:
    """Members of a union, items of a tuple, what is annotated."""
    return [part for part in get_args(kind) if isinstance(part, type) or get_args(part)]
