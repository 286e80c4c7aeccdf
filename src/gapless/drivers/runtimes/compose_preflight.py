"""Whether a service of a compose project can have two containers for a while.

Each finding is a verdict with its remedy. What cannot exist twice is told by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.compose_written import ComposeWritten
from gapless.drivers.runtimes.container_preflight import copies, fail, owner, state, twice
from gapless.drivers.runtimes.container_view import Sight
from gapless.model import Verdict, VerdictStatus


def standing(orders: Orders, seen: Sight, slot: str) -> tuple[Verdict, ...]:
    """Of the copy in a slot, whatever is written."""
    return (state(orders, seen, slot), owner(orders, seen), copies(orders, seen, slot))


def no_project(orders: Orders) -> Verdict:
    """The release has no such file."""
    asked = " ".join(orders.config.files) or "compose.yaml"
    wanted = "the project in the release (compose.directory, compose.files)"
    return fail("project", asked, f"there is none in {orders.folder}", wanted)


def makeable(
    orders: Orders, seen: Sight, slot: str, written: ComposeWritten, other: ComposeWritten | None
) -> tuple[Verdict, ...]:
    """Of what is written for the next copy; ``other`` is what is written of the one beside it, None
    where there is never one."""
    return (
        _image(orders, written, seen),
        *_replicas(orders, written, seen),
        *_copied(orders, written),
        *(() if other is None else twice(orders, written, other, seen, slot)),
    )


def _image(orders: Orders, written: ComposeWritten, seen: Sight) -> Verdict:
    """One that is built has to be there; any other is pulled when it is not."""
    there = written.image in seen.images and bool(seen.images[written.image])
    missing = written.build and not written.image
    return Verdict(
        VerdictStatus.FAIL if missing else VerdictStatus.PASS,
        "image",
        written.image or "image:",
        "not named" if missing else "there" if there else "asked for when the container is made",
        f"image: a name for what is built; then: {orders.shown('compose', 'build')}",
    )


def _replicas(orders: Orders, written: ComposeWritten, seen: Sight) -> Iterator[Verdict]:
    """The project, the containers and we have to mean the same number."""
    if written.replicas != orders.of:
        asked, answer = f"{orders.service} in the project", f"{written.replicas} replicas"
        wanted = f"{orders.of}; compose: {{replicas: {written.replicas}}} here, or there: "
        yield fail("replicas", asked, answer, f"{wanted}deploy: {{replicas: {orders.of}}}")
    if seen.strangers:
        answer = f"{view.names(seen.strangers)} besides the {orders.of}"
        wanted = f"{orders.of} of them; {_away(orders, seen)}"
        yield fail("replicas", orders.shown("ps"), answer, wanted)


def _away(orders: Orders, seen: Sight) -> str:
    """How one too many goes without a loss. It is drained by its number as long as that is there,
    and not more at once than the floor allows."""
    last = max(seen.strangers, key=lambda one: one.place)
    removed = orders.shown("rm", "--force", last.name)
    if last.place <= orders.of:
        return f"when it has no traffic: {removed}"
    drained = f"gapless drain {orders.name}@HOST/{last.place}"
    first = f"one after another: replicas: {last.place} once more, {drained}"
    return f"{first}, {removed}, replicas: {last.place - 1}"


def _copied(orders: Orders, written: ComposeWritten) -> Iterator[Verdict]:
    """What comes from no file is copied into the container when that is there already."""
    if written.read_only:
        for path in written.copied:
            answer = f"{path} comes from no file, and read_only: true lets nobody copy it in"
            yield fail("secrets", f"{orders.service} in the project", answer, "file: PATH")
