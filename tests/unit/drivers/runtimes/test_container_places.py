"""Which container is of which instance: by label, beside whom it was made, or by its number."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.drivers.runtimes.container_places import at_place, places
from gapless.drivers.runtimes.container_view import Container, Sight


def one(id_: str, ordinal: int, *, status: str = "running", **labels: Any) -> Container:
    """A container of compose; ``number`` and ``beside`` are labels of ours."""
    ours = {f"gapless.{name}": str(value) for name, value in labels.items()}
    told = {"com.docker.compose.container-number": str(ordinal), **ours}
    return Container(
        id_, f"shop-web-{ordinal}", status, 0, "", f"2026-01-01T00:00:0{ordinal}.5Z", 0,
        "sha256:1", "web:1", told, {}, None, False, (),
    )  # fmt: skip


ALONE = (one("a", 1), one("b", 2), one("c", 3))
GAPS = (one("a", 5), one("b", 2), one("c", 7))
OLD = one("x", 4, slot="b", generation=3)


@pytest.mark.parametrize(
    ("copies", "placed"),
    [
        (ALONE, {"a": 1, "b": 2, "c": 3}),
        (GAPS, {"b": 2, "a": 1, "c": 3}),
        (ALONE[:1], {"a": 1}),
        ((*ALONE, one("d", 4)), {"a": 1, "b": 2, "c": 3}),
        # a copy of the second is made beside it, then it goes
        ((*ALONE, one("n", 4, slot="b", number=2, beside="b")), {"a": 1, "b": 2, "c": 3, "n": 2}),
        ((ALONE[0], ALONE[2], one("n", 4, slot="b", number=2, beside="b")),
         {"a": 1, "c": 3, "n": 2}),
        # compose gives the number of the first to the copy of another
        ((*GAPS, one("n", 1, slot="b", number=3, beside="c")), {"a": 1, "b": 2, "c": 3, "n": 3}),
        # whoever gave two of them the same number
        ((one("a", 1), one("b", 1), one("c", 3)), {"a": 1, "c": 3, "b": 2}),
        # made when there was but one of them
        ((OLD,), {"x": 1}),
        # there were more
        ((one("m", 1, number=1), one("n", 2, number=4)), {"m": 1}),
    ],
)  # fmt: skip
def test_each_container_is_of_one_instance_or_of_none(
    copies: tuple[Container, ...], placed: dict[str, int]
) -> None:
    assert places(copies, 3) == placed


def test_an_instance_sees_its_own_and_those_of_nobody() -> None:
    """What compose created and nobody started is nobody's, but not too many either."""
    created = one("t", 9, status="created")
    seen = Sight((*ALONE, one("d", 4), created), {})
    second = at_place(seen, 2, 3)
    assert [own.id for own in second.copies] == ["b"]
    assert [more.id for more in second.strangers] == ["d"]
    assert at_place(seen, 1, 1) == seen


def test_while_copies_come_and_go_nothing_changes_its_instance() -> None:
    """All three are replaced, whatever the order and whatever numbers compose gives."""
    for order in ((1, 2, 3), (3, 1, 2), (2, 3, 1)):
        there = {copy.id: copy for copy in GAPS}
        first = places(GAPS, 3)
        for number in order:
            old = next(id_ for id_, place in first.items() if place == number)
            free = min({1, 2, 3, 4, 5, 6, 7, 8} - {copy.ordinal for copy in there.values()})
            new = one(f"n{number}", free, slot="b", number=number, beside=old)
            there[new.id] = new
            for gone in ("", old):
                there.pop(gone, None)
                wanted = {**first, **{f"n{n}": n for n in (1, 2, 3)}}
                assert places(there.values(), 3) == {id_: wanted[id_] for id_ in there}
