"""What the ages of nginx's workers tell."""

from __future__ import annotations

import pytest

from gapless.drivers.balancers.nginx_view import RubbishError, View, parse

# The machine is up for 1000 s, a second has 100 ticks, the file was changed 10 s ago: at 990 s.
CLOCK = "clock 5000.0 1000.0 100 4990.0"


def view(*workers: str) -> View:
    lines = [CLOCK, "master 7 50", *(f"worker {worker}" for worker in workers), "file YWJj"]
    return parse("\n".join(lines) + "\n")


def test_young_workers_have_read_the_file() -> None:
    seen = view("8 99100 active", "9 99200 active")
    assert seen.loaded and not seen.leaving
    assert (seen.life, seen.text) == ("7 50", "abc")
    assert str(seen) == "2 workers since the change, 0 from before it"


def test_an_old_worker_on_its_way_out_may_hold_connections() -> None:
    seen = view("8 98000 leaving", "9 99200 active")
    assert seen.loaded and seen.leaving == 1


def test_an_old_worker_that_takes_connections_has_not_read_it() -> None:
    for workers in (["8 98000 active"], ["8 98000 active", "9 99200 active"]):
        assert not view(*workers).loaded
        assert "has not read the file" in str(view(*workers))


def test_a_worker_of_the_same_moment_is_taken_for_an_old_one() -> None:
    assert not view("8 99000 active").loaded
    assert not view("8 99001 active").loaded
    assert view("8 99003 active").loaded


def test_nobody_who_takes_connections_has_read_nothing() -> None:
    assert not view().loaded
    assert not view("8 99200 leaving").loaded


def test_an_empty_file_is_a_file() -> None:
    assert parse(f"{CLOCK}\nmaster 7 50\nfile \n").content == b""


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "xyzzy",
        f"{CLOCK}\nmaster 7 50\n",
        f"{CLOCK}\nmaster 7 50\nworker 8\nfile YWJj",
        f"{CLOCK}\nmaster 7 50\nfile !!!",
        "clock now\nmaster 7 50\nfile YWJj",
    ],
)
def test_everything_else_is_rubbish(answer: str) -> None:
    with pytest.raises(RubbishError):
        parse(answer)
