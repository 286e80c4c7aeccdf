"""YAML and JSON altered in place."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gapless.drivers.balancers.yaml_places import Place, UnreadableError, parse, written

BLOCK = """\
# by hand
list:
- endpoint: {port: 1}   # first
  status: 'OLD'
-   endpoint: {port: 2}
    weight: 3
flow: [{"a": 1}, {b: {c: d}}]
"""


def first(text: str) -> Place:
    return next(parse(text)["list"].items())


def second(text: str) -> Place:
    return list(parse(text)["list"].items())[1]


def test_a_value_is_replaced_where_it_stands_in_its_quotes() -> None:
    assert written(BLOCK, first(BLOCK), "status", "NEW") == BLOCK.replace("'OLD'", "'NEW'")
    assert written(BLOCK, second(BLOCK), "weight", "4") == BLOCK.replace("weight: 3", "weight: 4")


def test_a_missing_key_is_put_in_front_of_the_first() -> None:
    assert written(BLOCK, second(BLOCK), "status", "NEW") == BLOCK.replace(
        "-   endpoint: {port: 2}", "-   status: NEW\n    endpoint: {port: 2}"
    )
    one, other = parse(BLOCK)["flow"].items()
    assert '[{"status": "NEW", "a": 1}' in written(BLOCK, one, "status", "NEW")
    assert '[{"weight": 0, "a": 1}' in written(BLOCK, one, "weight", "0")
    assert "{status: NEW, b: {c: d}}" in written(BLOCK, other, "status", "NEW")


def test_lines_keep_their_ends() -> None:
    text = BLOCK.replace("\n", "\r\n")
    assert written(text, second(text), "status", "NEW") == text.replace(
        "-   endpoint: {port: 2}", "-   status: NEW\r\n    endpoint: {port: 2}"
    )


def test_a_key_is_found_in_camel_case_too() -> None:
    assert parse("healthStatus: x")["health_status"].text == "x"
    assert parse("health_status: x")["health_status"].text == "x"


def test_what_is_not_there_is_nothing() -> None:
    root = parse(BLOCK)
    assert root["no"]["such"]["key"].text == "" and list(root["no"].items()) == []
    assert root["list"]["key"].text == "" and list(parse("").items()) == []


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "{", "a\n---\nb", "\t{", "[" * 5000])
def test_what_is_no_document_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        parse(text)


def test_only_a_single_value_of_a_mapping_is_written() -> None:
    for place in (parse(BLOCK)["list"], Place(None), parse("{}")):
        with pytest.raises(UnreadableError):
            written(BLOCK, place, "status", "NEW")
    with pytest.raises(UnreadableError, match="endpoint is no single value"):
        written(BLOCK, first(BLOCK), "endpoint", "NEW")


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    around=_json,
    member=st.dictionaries(st.sampled_from("abst"), _json, min_size=1),
    old=st.none() | st.sampled_from(["UP", "DOWN"]),
    indent=st.none() | st.integers(0, 4),
)
def test_in_any_json_it_changes_that_value_and_nothing_else(
    around: object, member: dict[str, object], old: str | None, indent: int | None
) -> None:
    member = member if old is None else {**member, "status": old}
    text = json.dumps({"x": around, "list": [{"q": around}, member]}, indent=indent)
    new = written(text, second(text), "status", "NEW")
    assert json.loads(new) == {"x": around, "list": [{"q": around}, {**member, "status": "NEW"}]}


@given(around=_json, member=st.dictionaries(st.sampled_from("abst"), _json, min_size=1))
def test_in_any_block_yaml_too(around: object, member: dict[str, object]) -> None:
    text = yaml.safe_dump({"x": around, "list": [1, member]}, default_flow_style=False)
    new = written(text, second(text), "status", "NEW")
    assert yaml.safe_load(new) == {"x": around, "list": [1, {**member, "status": "NEW"}]}
    assert [line for line in new.splitlines() if "status: NEW" not in line] != []
