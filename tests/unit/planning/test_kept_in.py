"""Whether a floor can ever be held, from what is known before the first change."""

from __future__ import annotations

import pytest

from gapless.plans import Batch, ServicePlan


def service(*batches: tuple[str, ...], total: int, floor: int, **more: object) -> ServicePlan:
    made = tuple(Batch(f"batch{n}", hosts) for n, hosts in enumerate(batches, 1))
    return ServicePlan("api", 1, (), (), made, total, floor, 0, "rollback", 0.0, 1.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("batches", "broken", "lost", "kept"),
    [
        ((("a",), ("b",), ("c",)), (), (), ""),
        ((("a",), ("b",), ("c",)), ("c",), (), "a"),  # c would be mended too late
        ((("c",), ("a",), ("b",)), ("c",), (), ""),  # mended first, it makes room
        ((("c", "a"), ("b",)), ("c",), (), ""),
        ((("a",), ("b",)), (), ("c",), "a"),
        ((("c",), ("a",), ("b",)), (), ("c",), "a"),  # what is lost is not replaced
        ((("c",),), ("c",), ("a",), ""),  # what is broken may always go out
        ((("c",),), (), ("c",), ""),
    ],
)
def test_the_first_that_may_never_go_out(
    batches: tuple[tuple[str, ...], ...], broken: tuple[str, ...], lost: tuple[str, ...], kept: str
) -> None:
    assert service(*batches, total=3, floor=2).kept_in(broken, lost) == kept


def test_one_instance_has_no_floor() -> None:
    assert service(("a",), total=1, floor=0).kept_in(()) == ""


def test_what_is_installed_adds_to_what_serves() -> None:
    assert service(("b",), ("a",), total=2, floor=1, installs=("b",)).kept_in(()) == ""
