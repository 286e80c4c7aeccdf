"""Items that come and go in YAML and JSON."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gapless.drivers.balancers.yaml_items import added, removed
from gapless.drivers.balancers.yaml_places import Place, UnreadableError, parse

BLOCK = """\
# by hand
list:   # ours
- endpoint: {port: 1}   # first
  status: 'OLD'
  # said of the second
-   endpoint: {port: 2}
    weight: 3
# said of what follows
flow: [{"a": 1}, {b: {c: d}}]
"""
ENTRY = '{"url": "http://10.0.0.1:80", "weight": -1}'


def items(text: str) -> list[Place]:
    return list(parse(text)["list"].items())


def without(text: str, index: int) -> str:
    return removed(text, parse(text)["list"], items(text)[index])


def test_one_line_comes_and_goes() -> None:
    new = added(BLOCK, parse(BLOCK)["list"], ENTRY)
    assert new == BLOCK.replace("list:   # ours\n", f"list:   # ours\n- {ENTRY}\n")
    assert without(new, 0) == BLOCK


def test_comments_of_others_stay() -> None:
    assert without(BLOCK, 1) == BLOCK.replace("-   endpoint: {port: 2}\n    weight: 3\n", "")
    first = "- endpoint: {port: 1}   # first\n  status: 'OLD'\n"
    assert without(BLOCK, 0) == BLOCK.replace(first, "")


def test_lines_keep_their_ends() -> None:
    text = BLOCK.replace("\n", "\r\n")
    new = added(text, parse(text)["list"], ENTRY)
    assert "\n" not in new.replace("\r\n", "") and without(new, 0) == text


@pytest.mark.parametrize("empty", ["list:\n", "list: []\n", "list:", "{list: []}"])
def test_the_first_comes_into_what_is_empty(empty: str) -> None:
    new = added(empty, parse(empty)["list"], ENTRY)
    assert yaml.safe_load(new) == {"list": [json.loads(ENTRY)]}
    assert yaml.safe_load(without(new, 0)) == {"list": []}


def test_the_last_leaves_an_empty_list() -> None:
    left = without(without(BLOCK, 0), 0)
    assert yaml.safe_load(left) == {**yaml.safe_load(BLOCK), "list": []}


@pytest.mark.parametrize("text", ["list: x", "list: {a: b}", "other: []", "list: ''"])
def test_what_is_no_list_is_left_alone(text: str) -> None:
    with pytest.raises(UnreadableError):
        added(text, parse(text)["list"], ENTRY)
    with pytest.raises(UnreadableError):
        removed(text, parse(text)["list"], Place(None))


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_lists = st.lists(_json, min_size=1, max_size=4)


@given(around=_json, listed=_lists, where=st.integers(0, 3), indent=st.none() | st.integers(0, 4))
def test_in_any_json_it_is_that_item_and_nothing_else(
    around: object, listed: list[object], where: int, indent: int | None
) -> None:
    text = json.dumps({"x": around, "list": listed, "y": around}, indent=indent)
    assert json.loads(added(text, parse(text)["list"], ENTRY))["list"] == [
        json.loads(ENTRY),
        *listed,
    ]
    index = where % len(listed)
    rest = [*listed[:index], *listed[index + 1 :]]
    assert json.loads(without(text, index)) == {"x": around, "list": rest, "y": around}


@given(around=_json, listed=_lists, where=st.integers(0, 3))
def test_in_any_block_yaml_too(around: object, listed: list[object], where: int) -> None:
    text = yaml.safe_dump({"x": around, "list": listed, "y": around}, default_flow_style=False)
    new = added(text, parse(text)["list"], ENTRY)
    assert yaml.safe_load(new)["list"] == [json.loads(ENTRY), *listed]
    index = where % len(listed)
    rest = [*listed[:index], *listed[index + 1 :]]
    assert yaml.safe_load(without(text, index)) == {"x": around, "list": rest, "y": around}
