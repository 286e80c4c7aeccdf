"""What helps when the engine of a host, or compose, does not answer what it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gapless.drivers.runtimes.container_orders import ContainerOrders
from gapless.errors import HostFault


@contextmanager
def helped(orders: ContainerOrders) -> Iterator[None]:
    """Whoever is refused meanwhile is told what to type on the host, and where to mend it."""
    try:
        yield
    except HostFault as error:
        error.next = error.next or _next(orders, error)
        raise


def _next(orders: ContainerOrders, error: HostFault) -> str:
    """Of a folder or service that is not there the file is wrong more often than the host."""
    what, host = error.what, error.where
    mend = f"mend {orders.section}{_key(what)} in gapless.yaml"
    if _NO_SERVICE in what:
        meant = _MEANT.search(what)
        mend = f"{orders.section} needs service: {meant[1]} in gapless.yaml" if meant else mend
        return f"{mend}, then: gapless doctor --hosts {host}"
    if what.startswith(_NO_PROGRAM):
        return f"install it on {host}   or   {mend}"
    return f"{_look(orders, what)} on {host}   or   {mend}"


def _look(orders: ContainerOrders, what: str) -> str:
    """With which a person sees the same."""
    if what.startswith(_FOLDER):
        return f"ls -ld {what.removeprefix(_FOLDER).rpartition(': ')[0]}"
    if what.startswith(_SILENT):
        return orders.shown("version")
    return orders.silent()[1]


def _key(what: str) -> str:
    """The key that is about it, "" where nobody can tell."""
    return next((key for begins, key in _KEYS.items() if what.startswith(begins)), "")


_FOLDER = "cannot enter the folder "
_SILENT = "no answer of the engine"
_NO_PROGRAM = "there is no program"
_NO_SERVICE = "has no service"
_MEANT = re.compile(r"did you mean '([^']+)'")
_KEYS: Mapping[str, str] = {
    _FOLDER: ".directory",
    "no configuration file provided": ".directory",
    _SILENT: ".socket",
    _NO_PROGRAM: ".engine",
    "the compose project": ".service",
}
