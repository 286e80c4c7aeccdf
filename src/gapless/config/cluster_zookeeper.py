"""Keys of a ZooKeeper ensemble."""

from __future__ import annotations

from gapless.config.base import Section
from gapless.config.cluster_redis import Address
from gapless.config.quantities import Count, Limit


class ZooKeeperConfig(Section):
    """ZooKeeper from 3.6 on, asked by its four letter words (mntr, srvr and conf have to be in
    4lw.commands.whitelist) over the client port of each server, from the server's own host."""

    address: Address = "127.0.0.1:2181"
    """Client address of a server as its own host reaches it; ``{host}``, ``{name}`` and
    ``{address}`` are those of that host."""
    lag: Count = 1000
    """How many transactions a server may be behind its leader and still counts as caught up: under
    writes none is at the end all the time."""
    outstanding: Count = 1000
    """How many requests may wait in a server; with more nothing is restarted. With so many it
    throttles (globalOutstandingLimit)."""
    timeout: Limit = 5.0
    """Limit of each question."""
