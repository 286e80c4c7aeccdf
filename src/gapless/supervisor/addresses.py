"""Where clients come in: the sockets that copies inherit, and those that a proxy holds for them."""

from __future__ import annotations

import os
from collections.abc import Callable

from gapless.supervisor import sockets
from gapless.supervisor.copy import Copy
from gapless.supervisor.loop import Loop
from gapless.supervisor.notify import Manager
from gapless.supervisor.proxy import ProxyServer
from gapless.supervisor.spec import Listen, Spec


class Addresses:
    """All that are open. The service manager keeps them while we are away."""

    def __init__(self, loop: Loop, manager: Manager) -> None:
        self._loop, self._manager = loop, manager
        self.listeners = sockets.Listeners()
        self.proxies: dict[str, ProxyServer] = {}
        """By address; one that no configuration wants any more stays while it has connections."""
        self.given: dict[str, int] = {}
        """Sockets that were passed to us and are not used yet, by name."""

    def open(self, spec: Spec) -> None:
        """All it needs, besides what is open. Raises OSError."""
        bound = self.listeners.open(_listened(spec), self.given)
        for name in [name for name in self.given if name.startswith(sockets.KEPT)]:
            os.close(self.given.pop(name))  # of a configuration before we were started again
            self._manager.drop(name)
        for address in bound:
            self._keep(address)

    def take_back(self, spec: Spec) -> None:
        """What was opened for a copy that failed; ``spec`` goes on."""
        self.listeners.take_back()
        self._shed(spec)

    def point(self, copy: Copy) -> None:
        """New connections go to this one."""
        for proxy in copy.spec.proxy:
            self._proxy(proxy.listen).point(copy.number, proxy.to)

    def when_idle(self, copy: Copy, call: Callable[[], None]) -> None:
        """As soon as no proxy has a connection to it."""
        waiting = {proxy.listen for proxy in copy.spec.proxy if proxy.listen in self.proxies}
        if not waiting:
            call()
        for address in [*waiting]:

            def idle(address: str = address) -> None:
                waiting.discard(address)
                if not waiting:
                    call()

            self.proxies[address].when_idle(copy.number, idle)

    def connections(self, copy: Copy) -> int:
        """That proxies have to it."""
        return sum(proxy.connections(copy.number) for proxy in self.proxies.values())

    def settle(self, spec: Spec) -> list[str]:
        """They are those of the copy that serves now; what is unusual of that."""
        anew = self.listeners.settle()
        for address in anew:
            self._manager.drop(sockets.kept_as(address))  # it would be kept beside the new one
            self._keep(address)
        closed = self._shed(spec)
        return [
            *(f"{one} had been removed, nobody could connect: opened anew" for one in anew),
            *(f"{one} is closed: the settings do not name it any more" for one in closed),
            *(
                f"{one} leads to the socket of another process: nobody reaches this one by it"
                for one in self.listeners.elsewhere()
            ),
        ]

    def leaving(self, spec: Spec) -> set[str]:
        """Of proxies that ``spec`` does not want."""
        return self.proxies.keys() - {proxy.listen for proxy in spec.proxy}

    def tidy(self, spec: Spec) -> None:
        """Close proxies that nobody wants and nobody uses."""
        for address in self.leaving(spec):
            if not self.proxies[address].busy:
                self.proxies.pop(address).close()

    def pause(self) -> None:
        """Nothing is passed on for now."""
        for proxy in self.proxies.values():
            proxy.pause()

    def resume(self) -> None:
        """After ``pause``."""
        for proxy in self.proxies.values():
            proxy.resume()

    def close(self) -> None:
        """All of them."""
        for proxy in self.proxies.values():
            proxy.close()
        self.listeners.keep_only(())

    def _keep(self, address: str) -> None:
        self._manager.keep(sockets.kept_as(address), self.listeners.fileno(address))

    def _proxy(self, address: str) -> ProxyServer:
        listen = _proxied_listen(address)
        listener = self.listeners.of([listen])[listen.name]
        listener.setblocking(False)
        found = self.proxies.get(address)
        if found is None:
            found = self.proxies[address] = ProxyServer(self._loop, listener)
        elif not found.listens_on(listener):
            found.listen_on(listener)
        return found

    def _shed(self, spec: Spec) -> list[str]:
        """Close what only older configurations listened on; the addresses."""
        for address in self.leaving(spec):
            self.proxies[address].pause()
        closed = self.listeners.keep_only(_listened(spec))
        for address in closed:
            self._manager.drop(sockets.kept_as(address))
        self.tidy(spec)
        return closed


def _listened(spec: Spec) -> list[Listen]:
    """All that is bound for it."""
    return [*spec.listen, *(_proxied_listen(proxy.listen) for proxy in spec.proxy)]


def _proxied_listen(address: str) -> Listen:
    return Listen(f"proxy {address}", address)
