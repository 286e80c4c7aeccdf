"""What the keys of a section mean: the text below each field, read from the source when asked.

pydantic would read them all while the models are made, at every start, for nobody.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel

from gapless.config.placeholders import spelled


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Texts by name of the field, "" where there is none."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            found.update(_texts(kind))
    return {
        name: spelled(field.description or found.get(name, ""))
        for name, field in model.model_fields.items()
    }


def _texts(kind: type) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in pairwise(definition.body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(words))),
            ):
                yield name, inspect.cleandoc(words)
