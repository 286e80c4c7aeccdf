"""Whatever stands in the file: it loads, or its problems are told. Never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless.config.problems import Findings
from gapless.config.source import load_config
from gapless.config.tree import parse, to_data
from gapless.errors import ConfigError
from tests.unit.config.shop import SHOP

_TREE = parse(SHOP, Findings("shop"))
assert _TREE is not None
DATA: dict[str, Any] = to_data(_TREE)


def paths(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    listed = enumerate(value) if isinstance(value, list) else ()
    inner = value.items() if isinstance(value, dict) else listed
    return [above, *(path for key, item in inner for path in paths(item, (*above, key)))]


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "web", "web[1:", "a[2:1]", "30s", "shop.api", "[", "all", "25%", "\x85"]),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from(["web", 3, None, {}]), max_size=3),
    st.dictionaries(st.sampled_from(["on", "http", "url", "x"]), st.integers(), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(paths(DATA)[1:]), odd), min_size=1, max_size=3))
def test_one_value_replaced_by_anything(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    data = json.loads(json.dumps(DATA))
    for path, value in changes:
        _replace(data, path, copy.deepcopy(value))
    file = _file(tmp_path_factory)
    file.write_text(json.dumps(data))
    for environment in (None, "staging"):
        try:
            load_config(file, environment)
        except ConfigError as error:
            assert error.problems
            assert all(p.line >= 1 and p.column >= 1 and p.text for p in error.problems)
        except Exception as error:
            assert "unknown environment" in str(error), error


def _file(factory: pytest.TempPathFactory) -> Path:
    return factory.getbasetemp() / "fuzz.yaml"


def _replace(data: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return
    try:
        data[path[-1]] = value
    except (IndexError, TypeError):
        return
