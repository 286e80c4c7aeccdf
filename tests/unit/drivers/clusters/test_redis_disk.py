"""A server that cannot write to its disk: as a master it would refuse writes."""

from __future__ import annotations

import pytest

from gapless.drivers.clusters.redis_resp import Reply
from gapless.drivers.clusters.redis_view import server

_INFO = """redis_version:6.2.7
run_id:life1
loading:0
{disk}
master_replid:5555
role:master
master_repl_offset:1000"""
_SETTINGS: tuple[Reply, ...] = (
    ("save", ""),
    ("appendonly", "yes"),
    ("replica-priority", "100"),
    ("min-replicas-to-write", "0"),
)


@pytest.mark.parametrize("what", ["aof_last_write_status", "rdb_last_bgsave_status"])
def test_what_it_could_not_write_is_its_trouble(what: str) -> None:
    well, unwell = (
        server((_INFO.format(disk=f"{what}:{told}").replace("\n", "\r\n"), *_SETTINGS))
        for told in ("ok", "err")
    )
    assert well.trouble(None, 0) == ""
    assert unwell.trouble(None, 0) == f"it cannot write to its disk: {what}:err"
