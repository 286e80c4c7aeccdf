"""The evidence of a command: the last lines, not too long, and no silence about what is missing."""

from __future__ import annotations

from gapless.model import Completed


def completed(out: str = "", err: str = "", dropped: int = 0) -> Completed:
    return Completed(("migrate",), 1, out, err, 0.1, dropped=dropped)


def test_the_last_lines_of_errors_come_before_those_of_output() -> None:
    assert completed("fine\n", "one\ntwo\nthree\n").evidence(2) == "two\nthree"
    assert completed("one\ntwo\n", "\n").evidence(1) == "two"


def test_what_was_dropped_is_said_once() -> None:
    said = "… 49737863 bytes dropped …"
    assert completed("a\nb", dropped=49737863).evidence(1) == f"{said}\nb"
    assert completed(f"a\n{said}\nb", dropped=49737863).evidence(3) == f"{said}\na\nb"


def test_a_line_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    evidence = completed("cause " + "x" * 100_000 + " error").evidence()
    assert evidence.startswith("cause xxx")
    assert evidence.endswith("xxx error")
    assert " … " in evidence
    assert len(evidence) < 400
