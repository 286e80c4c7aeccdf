"""The server lines between two marks: what is altered, and what stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.drivers.balancers.marked_servers import NonsenseError, UnmarkedError, parse

FILE = """\
# by hand: gapless begin shop
\tkeepalive 4;
# gapless begin shop
server 10.0.0.1:80;  # first
  server  [::1]:80 max_fails=1   weight=2 ;\r
server unix:/run/x.sock backup down;

# gapless end shop
server 10.0.0.1:80 down;
# gapless begin other
server 10.0.0.1:80;
# gapless end other
"""


def test_only_the_marked_servers_are_seen() -> None:
    servers = parse(FILE, "shop").servers
    assert {address: line.down for address, line in servers.items()} == {
        "10.0.0.1:80": False,
        "[::1]:80": False,
        "unix:/run/x.sock": True,
    }


@pytest.mark.parametrize(
    ("address", "before", "after"),
    [
        ("10.0.0.1:80", "server 10.0.0.1:80;  # first", "server 10.0.0.1:80 down;  # first"),
        (
            "[::1]:80",
            "  server  [::1]:80 max_fails=1   weight=2 ;\r",
            "  server  [::1]:80 max_fails=1   weight=2 down ;\r",
        ),
    ],
)
def test_one_word_is_added_and_taken_away(address: str, before: str, after: str) -> None:
    out = parse(FILE, "shop").with_down(address)
    assert out == FILE.replace(f"begin shop\n{before}", f"begin shop\n{after}").replace(
        f"first\n{before}", f"first\n{after}"
    )
    assert parse(out, "shop").servers[address].down
    assert parse(out, "shop").with_up(address) == FILE


def test_what_is_out_already_keeps_its_words_in_their_order() -> None:
    assert parse(FILE, "shop").with_down("unix:/run/x.sock") == FILE
    assert "server unix:/run/x.sock backup;\n" in parse(FILE, "shop").with_up("unix:/run/x.sock")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nowhere"),
        ("# gapless begin shop\n", "nowhere"),
        ("# gapless end shop\n# gapless begin shop\n", "before its begin"),
        ("# gapless begin shop\n# gapless begin shop\n# gapless end shop\n", "twice"),
    ],
)
def test_without_its_marks_nothing_is_touched(text: str, why: str) -> None:
    with pytest.raises(UnmarkedError, match=why):
        parse(text, "shop")


@pytest.mark.parametrize(
    "line",
    ["xyzzy", "server;", "server a:1; server b:1;", "server a:1", "server 'a:1';", "include x;"],
)
def test_other_words_between_the_marks_are_nonsense(line: str) -> None:
    with pytest.raises(NonsenseError, match="line 2"):
        parse(f"# gapless begin shop\n{line}\n# gapless end shop\n", "shop")


def test_an_address_that_is_there_twice_is_nonsense() -> None:
    with pytest.raises(NonsenseError, match="a:1 is there twice"):
        parse("# gapless begin s\nserver a:1;\nserver a:1 down;\n# gapless end s", "s")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_comes_and_goes(end: str) -> None:
    text = end.join(["x", "  # gapless begin s", "  server a:1;", "  # gapless end s", "y"])
    marked = parse(text, "s")
    new = marked.with_added("b:1", down=True)
    assert new == text.replace(f"a:1;{end}", f"a:1;{end}  server b:1 down;{end}")
    assert parse(new, "s").with_up("b:1").count("down") == 0
    assert parse(new, "s").without("b:1") == text
    assert marked.with_added("a:1", down=True) == marked.without("b:1") == text
    none = marked.without("a:1")
    assert parse(none, "s").servers == {} and "server" not in none


_around = st.text(alphabet=st.characters(exclude_characters="#"), max_size=40)


@given(before=_around, after=_around, spaces=st.text(" \t", max_size=3))
def test_every_other_byte_stays(before: str, after: str, spaces: str) -> None:
    line = f"{spaces}server a:1 weight=2{spaces}; # café"
    text = f"{before}\n# gapless begin shop\n{line}\nserver b:1;\n# gapless end shop\n{after}"
    out = parse(text, "shop").with_down("a:1")
    assert out == text.replace(line, f"{spaces}server a:1 weight=2 down{spaces}; # café")
    assert parse(out, "shop").with_up("a:1") == text
