from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.ranges import expand, is_range


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("db1.example", ["db1.example"]),
        ("web[1:3].x", ["web1.x", "web2.x", "web3.x"]),
        ("web[8:11]", ["web8", "web9", "web10", "web11"]),
        ("web[08:11]", ["web08", "web09", "web10", "web11"]),
        ("web[0:1]", ["web0", "web1"]),
        ("db[a,b]", ["dba", "dbb"]),
        ("db[a:c]", ["dba", "dbb", "dbc"]),
        ("x[1:2,7,east]", ["x1", "x2", "x7", "xeast"]),
        ("r[1:2]n[a,b]", ["r1na", "r1nb", "r2na", "r2nb"]),
        ("[5:5]", ["5"]),
    ],
)
def test_names(pattern: str, names: list[str]) -> None:
    assert list(expand(pattern)) == names
    assert is_range(pattern) is ("[" in pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("w[3:1]", r"counts down; write \[1:3\]"),
        ("w[c:a]", r"counts down; write \[a:c\]"),
        ("w[01:100]", "as many digits"),
        ("w[]", "is no range"),
        ("w[1:]", "is no range"),
        ("w[1:a]", "is no range"),
        ("w[a:Z]", "is no range"),
        ("w[1,,2]", "is no range"),
        ("w[1:2", "without its partner"),
        ("w1]", "without its partner"),
        ("w[[1:2]]", "without its partner"),
        ("w[1:100001]", "more than 100,000"),
        ("w[1:1000]x[1:1000]", "1,000,000 hosts"),
        ("w[1:99999999999999999999]", "more than 100,000"),
    ],
)
def test_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        expand(pattern)


@given(st.integers(0, 2000), st.integers(0, 300), st.sampled_from(["", "-a", ".example"]))
def test_a_range_is_every_number_once_in_order(first: int, more: int, after: str) -> None:
    names = expand(f"h[{first}:{first + more}]{after}")
    assert names == tuple(f"h{n}{after}" for n in range(first, first + more + 1))


@given(st.integers(0, 900), st.integers(0, 99), st.integers(3, 6))
def test_zeros_in_front_are_kept(first: int, more: int, width: int) -> None:
    low, high = f"{first:0{width}d}", f"{first + more:0{width}d}"
    names = expand(f"h[{low}:{high}]")
    assert len(names) == len(set(names)) == more + 1
    assert (names[0], names[-1]) == (f"h{low}", f"h{high}")


@given(st.text(alphabet="ab1[]:,0", max_size=12))
def test_any_pattern_is_names_or_a_reason(pattern: str) -> None:
    try:
        assert expand(pattern)
    except ValueError as error:
        assert pattern in str(error) or "counts down" in str(error)
