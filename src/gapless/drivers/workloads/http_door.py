"""The HTTP APIs of all members, asked straight from where gapless runs.

A member that does not answer, or answers nonsense, is left for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.balancers.http_answer import HttpAnswer, read
from gapless.drivers.balancers.http_api import NO_HEADERS, Ask, Place
from gapless.drivers.workloads.addresses import Turns
from gapless.drivers.workloads.wire import exchange
from gapless.hostside.http_message import CutOff, Malformed
from gapless.prove.workload import NotDone


class HttpDoor:
    """``urls`` as they are reached from here."""

    def __init__(self, urls: Iterable[str], tls: ApiTlsConfig) -> None:
        self._turns = Turns(urls)
        self._tls = tls

    async def ask(self, ask: Ask, secrets: Mapping[str, str] = NO_HEADERS) -> HttpAnswer:
        """The answer, whatever its status. Raises NotDone, OSError."""
        url = self._turns.now
        place = Place.of(url, self._tls)
        try:
            came = await exchange(place.socket, place.written(ask, secrets), place.tls)
            return read(came, ask.method)
        except (CutOff, Malformed) as error:
            self._turns.leave(url)
            raise NotDone(f"{url} ended the connection in the middle: {error}") from None
        except BaseException:  # cancelled, too: it was silent for too long
            self._turns.leave(url)
            raise

    def another(self) -> None:
        """The member that is asked now cannot do it: the next one is."""
        self._turns.leave(self._turns.now)

    def __str__(self) -> str:
        return str(self._turns)
