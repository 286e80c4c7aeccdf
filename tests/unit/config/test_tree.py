from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gapless.config.problems import Findings
from gapless.config.tree import locate, parse, to_data


def read(text: str) -> Any:
    findings = Findings("f")
    node = parse(text, findings)
    assert not findings.problems
    assert node is not None
    return to_data(node)


def told(text: str) -> list[str]:
    findings = Findings("f")
    parse(text, findings)
    return [str(problem) for problem in findings.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("True", "True"), ("yes", "yes"), ("off", "off"),
        ("null", None), ("~", None), ("Null", "Null"),
        ("12", 12), ("-3", -3), ("0", 0), ("010", "010"), ("0x1F", "0x1F"), ("1_000", "1_000"),
        ("1.5", 1.5), ("1.0e+3", 1000.0), ("12e4567", "12e4567"), ("0E0", "0E0"),
        (".5", ".5"), ("1.", "1."), (".inf", ".inf"),
        ("12:30:45", "12:30:45"), ("2024-01-01", "2024-01-01"), ("10.0.0.1", "10.0.0.1"),
        ("'12'", "12"), ("!!str 12", "12"), ("9" * 30, float("9" * 30)), ("=", "="),
    ],
)  # fmt: skip
def test_plain_words(text: str, value: object) -> None:
    found = read(f"a: {text}")["a"]
    assert found == value and type(found) is type(value)


def test_keys_are_text_as_written() -> None:
    assert read("{on: 1, 3000: 2, true: 3, ~: 4}") == {"on": 1, "3000": 2, "true": 3, "~": 4}


def test_anchors_aliases_and_merges() -> None:
    text = """
    base: &base {a: 1, b: 1}
    same: *base
    over: {<<: *base, b: 2}
    many: {<<: [{a: 3}, *base], c: 3}
    """
    assert read(text) == {
        "base": {"a": 1, "b": 1},
        "same": {"a": 1, "b": 1},
        "over": {"a": 1, "b": 2},
        "many": {"a": 3, "b": 1, "c": 3},
    }


def test_a_merged_key_stands_at_its_anchor() -> None:
    node = parse("base: &b\n  a: 1\nover:\n  <<: *b\n", Findings("f"))
    assert node is not None
    assert locate(node, ("over", "a"))[0] == (2, 3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1: key 'a' is given twice — see line 1"),
        ("a: &x [*x]\n", "f:1:4: an alias contains itself"),
        ("a: !secret x\n", "f:1:4: unknown tag !secret"),
        ("a: !!python/object:os.system x\n", "f:1:4: unknown tag !!python/object:os.system"),
        ("a: !!int x\n", "f:1:4: 'x' is not !!int"),
        ("a: !!bool yes\n", "f:1:4: 'yes' is not !!bool"),
        ("? [a]\n: 1\n", "f:1:3: a key must be text"),
        ("a: {<<: 3}\n", "f:1:5: << takes a mapping or a list of mappings"),
        (
            "\ta: 1\n",
            "f:1:1: not valid YAML: there is a tab — YAML is indented with spaces only",
        ),
    ],
)
def test_problems(text: str, problem: str) -> None:
    assert [line.partition(" — while")[0] for line in told(text)] == [problem]


def test_a_small_file_cannot_become_enormous() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases expand it beyond 1000000 values" in told("\n".join(lines))[0]


def test_nesting_has_an_end() -> None:
    assert told("[" * 100_000) == ["f:1:100: not valid YAML: nested too deeply"]
    assert told("".join(f"{' ' * n}a:\n" for n in range(2000)))
    assert read("[" * 90 + "]" * 90)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
@example(["0E0", "1e5", "1.5e3"])
def test_what_yaml_writes_is_read_back(value: object) -> None:
    text = (
        yaml.safe_dump({"v": value}, allow_unicode=True, default_style='"')
        if isinstance(value, str)
        else yaml.safe_dump({"v": value}, allow_unicode=False)
    )
    assert read(text)["v"] == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    parse(text, Findings("f"))
