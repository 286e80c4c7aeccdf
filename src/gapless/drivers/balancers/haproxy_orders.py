"""What is said to HAProxy, and what it answers when it obeys. No side effects.

An order is harmless when what it asks for holds already.
"""

from __future__ import annotations

from gapless.drivers.balancers.haproxy_view import Server

CONSENT = frozenset(("", "New server registered.", "Server deleted."))
"""Whole answers to orders that were carried out: silence mostly."""
EXISTS = "Already exists a server with the same name"
MOST_WEIGHT = 256


def out(path: str) -> str:
    """No new requests; those in flight end in peace."""
    return f"set server {path} state drain"


def back_in(path: str, server: Server | None, *, fresh: bool) -> str:
    """New requests again, with ``fresh`` only after a check that passes from now on.

    ``state ready`` alone is optimistic: out of maintenance (a server that was just added is in it)
    the server is UP before any check, and after a restart quicker than ``fall`` checks the last
    check it shows is one of the old copy. "Stopping" lets the next passed check, and nothing else,
    bring it up; a server that is DOWN already waits for its ``rise`` checks and is left to them.
    """
    orders = [f"set server {path} state ready"]
    if fresh and server and server.checking and (server.maint or not server.stopped):
        orders.insert(0, f"set server {path} health stopping")
        if server.maint:  # leaving it resets the health, so leave it first, towards drain
            orders.insert(0, f"set server {path} state drain")
    return ";".join(orders)


def weighed(path: str, weight: int) -> str:
    """An absolute weight: a share would be one of the server's first weight, not of traffic."""
    return f"set server {path} weight {weight}"


def added(path: str, address: str, options: str) -> tuple[str, ...]:
    """A new server, in maintenance. Without "enable health" it would never be checked."""
    orders = [f"add server {path} {address} {options}".rstrip()]
    if "check" in options.split():
        orders.append(f"enable health {path}")
    return tuple(orders)


def removed(path: str) -> tuple[str, ...]:
    """Only a server in maintenance, without connections, can be removed."""
    return (f"set server {path} state maint", f"del server {path}")


def cut(path: str) -> str:
    """Close the connections that are left."""
    return f"shutdown sessions server {path}"
