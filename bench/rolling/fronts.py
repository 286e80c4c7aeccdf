"""Front doors that gapless controls."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.containers import fronts
from tests.containers.shop import Shop
from tests.lab.debian import which


@dataclass(frozen=True)
class Front:
    """``before`` puts it before a shop, and yields its URL; ``aborts``: how soon an abort shows is
    bounded behind it."""

    name: str
    missing: Callable[[], str]
    before: Callable[[Shop], AbstractContextManager[str]]
    aborts: bool


@contextmanager
def _haproxy(shop: Shop) -> Iterator[str]:
    yield shop.behind_haproxy().url


def _no_haproxy() -> str:
    return "" if which("haproxy") else "haproxy is not installed (apt-get install haproxy)"


def _behind(kind: type[fronts.Front]) -> Callable[[Shop], AbstractContextManager[str]]:
    @contextmanager
    def before(shop: Shop) -> Iterator[str]:
        shop.behind(kind(shop.folder / "front"))
        assert shop.front is not None
        yield shop.front.url

    return before


def _without(kind: type[fronts.Front]) -> Callable[[], str]:
    def missing() -> str:
        beside = Path(sys.executable).with_name(kind.program)
        there = beside.exists() or shutil.which(kind.program)
        return "" if there else f"{kind.program} is not installed ({kind.package})"

    return missing


class Traefik(fronts.Traefik):
    """Nobody can see there what is under way: it gets a tenth more than the longest request."""

    settle = "1100ms"


FRONTS = (
    Front("haproxy", _no_haproxy, _haproxy, aborts=True),
    Front("envoy", _without(fronts.Envoy), _behind(fronts.Envoy), aborts=True),
    Front("traefik", _without(Traefik), _behind(Traefik), aborts=False),
)
