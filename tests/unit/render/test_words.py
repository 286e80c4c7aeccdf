"""Numbers with units, host ranges, safe text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.ranges import expand
from gapless.model import AS_IT_WAS, NOT_INSTALLED
from gapless.render.layout import cut, head, labelled, table
from gapless.render.words import about, ago, ascii_only, back_to, clean, hosts, plural, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"), (0.0124, "12 ms"), (0.9996, "1 s"), (1, "1 s"), (2.14, "2.1 s"),
        (9.97, "10 s"), (30, "30 s"), (59.6, "1 min"), (90, "1 min 30 s"), (3600, "1 h"),
        (7500, "2 h 5 min"), (90_000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "about 1 s"), (42, "about 42 s"), (187, "about 3 min 10 s"),
                        (754, "about 13 min"), (14_000, "about 3 h 55 min")],
)  # fmt: skip
def test_about(value: float, text: str) -> None:
    assert about(value) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["db1"], "db1"),
        (["web1", "web2"], "web1 web2"),
        (["web1", "web2", "web3", "db1"], "web[1:3] db1"),
        (["web3", "web1", "web2", "web5"], "web[1:3] web5"),
        (["web01", "web02", "web03"], "web[01:03]"),
        (["w8", "w9", "w10", "w11"], "w[8:11]"),
        (["w09", "w9", "w10"], "w09 w9 w10"),
        ([f"web{n}.eu.example" for n in range(1, 301)], "web[1:300].eu.example"),
        (["a", "b", "a"], "a b"),
        ([f"h{n}" for n in range(0, 40, 2)], "h0 h2 h4 h6 h8 h10 h12 h14 … and 12 more"),
    ],
)
def test_hosts(names: list[str], text: str) -> None:
    assert hosts(names) == text


@given(st.sets(st.from_regex(r"(web|db)-?[0-9]{1,3}(\.eu)?", fullmatch=True), max_size=60))
def test_ranges_mean_exactly_the_hosts(names: set[str]) -> None:
    """Read back by the same rules as gapless.yaml."""
    text = hosts(sorted(names), limit=1000)
    assert {name for piece in text.split() for name in expand(piece)} == names


def test_plural() -> None:
    assert plural(1, "host") == "1 host"
    assert plural(10_000, "host") == "10,000 hosts"
    assert plural(2, "batch", "batches") == "2 batches"


def test_ago() -> None:
    assert ago(100, 190) == "1 min 30 s ago"
    assert ago(0, 190) == "-"
    assert ago(200, 190) == "1 s ago"


@given(st.text())
def test_clean_text_cannot_drive_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in cleaned)


@given(st.text())
def test_ascii_is_ascii(text: str) -> None:
    assert ascii_only(text).isascii()


@given(st.text(), st.integers(20, 120))
def test_head_keeps_its_code_at_the_edge(text: str, width: int) -> None:
    first = head("✗", text, "GL-402", width)[0]
    assert first.endswith("GL-402")


def test_layout() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert labelled("log", "a\nb") == ["   log     a", "           b"]
    assert table(("A", "LONG"), [("xx", "y")]) == ["A   LONG", "xx  y"]


def test_back_to_a_version_or_to_what_was_there() -> None:
    assert [back_to(one) for one in ("v1", AS_IT_WAS, NOT_INSTALLED)] == [
        "on v1", "as it was", "not installed",
    ]  # fmt: skip
