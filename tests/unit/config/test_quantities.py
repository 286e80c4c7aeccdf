from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.config.quantities import (
    format_duration,
    parse_amount,
    parse_argv,
    parse_duration,
    resolve_amount,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1m30s", 90), ("1h", 3600), ("1d", 86400), ("1.5s", 1.5),
     ("1h 30m", 5400), ("0", 0), (0, 0)],
)  # fmt: skip
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", 30, "s", "-3s", "3 sec", True, None, [], "٣s", "1s2"])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (90, "1m30s"), (1.5, "1.5s"), (86400, "1d"), (0.0005, "0.5ms")],
)
def test_durations_are_written_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**12).map(lambda micro: micro / 1_000_000))
def test_a_written_duration_reads_back_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6, rel=0)


@given(st.integers(0, 10**9))
def test_whole_seconds_exactly(seconds: int) -> None:
    assert parse_duration(format_duration(float(seconds))) == seconds


@pytest.mark.parametrize(
    ("amount", "of", "count"), [(3, 10, 3), (30, 10, 10), ("25%", 10, 2), ("1%", 10, 0)]
)
def test_amounts(amount: int | str, of: int, count: int) -> None:
    assert resolve_amount(amount, of) == count
    assert resolve_amount(amount, of, at_least=1) == max(1, count)


@pytest.mark.parametrize(("text", "amount"), [("2", 2), (2, 2), ("25 %", "25%"), ("007%", "7%")])
def test_amounts_as_written(text: object, amount: int | str) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["", "a", "-1", -1, "101%", True, None, 1.5, "²", "٣%"])
def test_no_amounts(text: object) -> None:
    with pytest.raises(ValueError):
        parse_amount(text)


def test_a_command_is_words_and_never_a_shell_line() -> None:
    assert parse_argv("a 'b c' $X | d") == ("a", "b c", "$X", "|", "d")
    assert parse_argv(["a", "b c"]) == ("a", "b c")
