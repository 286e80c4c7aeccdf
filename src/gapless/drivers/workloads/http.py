"""A client of Chronik, or of another system over HTTP, by the requests that gapless.yaml declares.

A member that does not do it, whatever it answers, is left for the next one: not every system sends
its clients to the leader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gapless.config.api_url import ApiTlsConfig
from gapless.config.workload import WorkloadConfig
from gapless.drivers.balancers.http_answer import HttpAnswer
from gapless.drivers.balancers.http_api import Ask
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.clusters.http_view import at
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.workloads.http_door import HttpDoor
from gapless.errors import UsageError
from gapless.hostside.veil import veil
from gapless.prove.workload import NotDone

_GONE = 404
_SHOWN = 200


class HttpWorkload:
    """See ``Workload``. ``place_name`` stands for {place}; ``headers``: name to secret
    reference."""

    def __init__(
        self,
        kind: str,
        urls: tuple[str, ...],
        tls: ApiTlsConfig,
        headers: Mapping[str, str],
        client: WorkloadConfig,
        place_name: str,
    ) -> None:
        assert client.write and client.read
        self.kind = kind
        self._door = HttpDoor(urls, tls)
        self._headers = headers
        self._secrets = KeptSecrets()
        self._writing, self._reading, self._removing = client.write, client.read, client.remove
        self._place = place_name
        self._values: dict[int, str] = {}
        self._positions: dict[int, str] = {}

    @property
    def place(self) -> str:
        """As it was removed, or where it is."""
        path = self._removing.path if self._removing else self._writing.path
        return self._filled(path, 0)

    @property
    def removes(self) -> bool:
        """Where a request for it is given."""
        return self._removing is not None

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._door)

    async def prepare(self) -> None:
        """What is declared needs nothing."""

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by a 2xx, with its position where one is told."""
        self._values[number] = value
        how = self._writing
        raw = self._filled(how.body, number).encode()
        ask = Ask(how.method, self._filled(how.path, number), raw=raw)
        answer = await self._asked(ask)
        if not answer.ok:
            raise self._refused(ask, answer)
        if how.position:
            self._positions[number] = self._position(ask, answer, how.position)

    async def read(self, number: int) -> str | None:
        """The value where the answer holds it."""
        ask = Ask("GET", self._filled(self._reading.path, number))
        answer = await self._asked(ask)
        if answer.status == _GONE:
            return None
        if not answer.ok:
            raise self._refused(ask, answer)
        value = self._values[number]
        return value if _holds(answer.body, value.encode()) else None

    async def clear(self) -> None:
        """By the request that is given."""
        if self._removing is not None:
            ask = Ask(self._removing.method, self._filled(self._removing.path, 0))
            answer = await self._asked(ask)
            if not answer.ok and answer.status != _GONE:
                raise self._refused(ask, answer)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _asked(self, ask: Ask) -> HttpAnswer:
        try:
            found = await self._secrets.read(self._headers.values())
        except UsageError as error:
            raise NotDone(error.what) from None
        secrets = {name: found[reference] for name, reference in self._headers.items()}
        answer = await self._door.ask(ask, secrets)
        return replace(answer, body=veil(answer.body, secret_forms(found.values())))

    def _refused(self, ask: Ask, answer: HttpAnswer) -> NotDone:
        self._door.another()
        shown = answer.body[:_SHOWN].decode("utf-8", "replace").strip()
        return NotDone(f"{ask} → {answer.status} {shown}".rstrip())

    def _position(self, ask: Ask, answer: HttpAnswer, field: str) -> str:
        try:
            found = at(answer.json(), field)
        except ValueError:
            found = None
        if found is None:
            raise NotDone(f"{ask} → an answer without {field}")
        return str(found)

    def _filled(self, text: str, number: int) -> str:
        words = {
            "{place}": self._place,
            "{number}": str(number),
            "{value}": self._values.get(number, ""),
            "{position}": self._positions.get(number, ""),
        }
        for word, value in words.items():
            text = text.replace(word, value)
        return text


def _holds(body: bytes, value: bytes) -> bool:
    """Not only as the beginning of another one's value: 12 is not in 123."""
    place = body.find(value)
    while place >= 0:
        if not body[place + len(value) : place + len(value) + 1].isdigit():
            return True
        place = body.find(value, place + 1)
    return False
