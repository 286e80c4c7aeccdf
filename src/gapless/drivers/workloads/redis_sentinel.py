"""A client of Redis that asks sentinels who the master is.

1. A sentinel is asked once; whoever was named is the master for as long as that one answers, and is
   one: with each write and read it is asked for its role.
2. Where it is not, or does not answer, a sentinel is asked anew, the next one.
"""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.clusters.redis_resp import Command, Reply
from gapless.drivers.workloads.addresses import Turns
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_door import consent, said, setting
from gapless.prove.workload import NotDone

_MASTER = "master"


class SentinelWorkload:
    """See ``Workload``. ``master`` as the sentinels call it; ``prefix``: of its keys."""

    kind = "redis_sentinel"
    removes = True

    def __init__(
        self,
        sentinels: tuple[str, ...],
        master: str,
        login: Login,
        sentinel_login: Login,
        prefix: str,
        *,
        tls: ApiTlsConfig | None = None,
        sentinel_tls: ApiTlsConfig | None = None,
    ) -> None:
        self._sentinels = Turns(sentinels)
        self._name = master
        self._login, self._sentinel_login = login, sentinel_login
        self._tls, self._sentinel_tls = tls, sentinel_tls
        self._prefix = prefix
        self._master = ""
        self._written: set[int] = set()

    @property
    def place(self) -> str:
        """Its keys."""
        return f"keys {self._prefix}/*"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return f"sentinels {self._sentinels}"

    async def prepare(self) -> None:
        """Keys need nothing."""

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by the master."""
        self._written.add(number)
        await self._told(setting(self._key(number), value))

    async def read(self, number: int) -> str | None:
        """As the master has it."""
        reply = await self._told(("GET", self._key(number)))
        return None if reply is None else str(reply)

    async def clear(self) -> None:
        """All keys that it tried to write."""
        keys = [self._key(number) for number in sorted(self._written)]
        for some in (keys[at : at + 500] for at in range(0, len(keys), 500)):
            await self._told(("DEL", *some))

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _told(self, command: Command) -> Reply:
        master = self._master or await self._named()
        try:
            role, reply = await said(master, self._login, ("ROLE",), command, tls=self._tls)
            found = consent(role, master)
            if not isinstance(found, tuple) or found[:1] != (_MASTER,):
                raise NotDone(f"Redis on {master} is not the master")
            answer = consent(reply, master)
        except BaseException:  # cancelled, too: it was silent for too long
            if self._master == master:
                self._master = ""
            raise
        self._master = master
        return answer

    async def _named(self) -> str:
        asked = self._sentinels.now
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)
        try:
            (reply,) = await said(
                asked, self._sentinel_login, question, tls=self._sentinel_tls, sentinel=True
            )
            found = consent(reply, asked)
        except BaseException:
            self._sentinels.leave(asked)
            raise
        if not isinstance(found, tuple) or len(found) != 2:
            self._sentinels.leave(asked)
            raise NotDone(f"the sentinel on {asked} knows no master {self._name}")
        host, port = map(str, found)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _key(self, number: int) -> str:
        return f"{self._prefix}/{number}"
