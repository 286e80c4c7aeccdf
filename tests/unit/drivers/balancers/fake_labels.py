"""A container engine and a Traefik that follows it, as far as a driver sees them.

Recorded from dockerd 20.10 and Traefik 3.7.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

SERVICE = "/api/http/services/web-shop@docker"


@dataclass
class Container:
    """``own``: whether its program passes its own check."""

    id: str
    address: str
    corded: bool = True
    cord: bytes = b"in\n"
    own: bool = True
    slot: str = ""

    @property
    def health(self) -> str:
        """As the engine says it, once it has looked."""
        if not self.corded:
            return "none"
        return "healthy" if self.cord and self.own else "unhealthy"


class World:
    """Both answer on one port. ``slow``: seconds in which Traefik learns of a change."""

    def __init__(self, containers: list[Container]) -> None:
        self.containers = containers
        self.listed: list[str] = []
        self.slow = 0.0
        self.refuses = False
        self.says = b""
        self.begun = "2020-01-01T00:00:00Z"
        self.pulls: list[str] = []
        self.port = 0
        self._life = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._life += 1
        self._follow()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def change(self) -> None:
        """Traefik learns of it, when it does."""
        if self.slow:
            asyncio.get_running_loop().call_later(self.slow, self._follow)
        else:
            self._follow()

    def _follow(self) -> None:
        healthy = [one for one in self.containers if one.health in ("healthy", "none")]
        self.listed = [one.address for one in healthy]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        length = [line for line in head.split("\r\n") if line.startswith("Content-Length: ")]
        body = await reader.readexactly(int(length[0].split()[1])) if length else b""
        status, told = self._answer(method, path, body)
        text = self.says or (told if isinstance(told, bytes) else json.dumps(told).encode())
        date = formatdate(usegmt=True)
        writer.write(
            f"HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
        )
        writer.write(text)
        writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/containers/json":
            return 200, [
                {"Id": one.id, "NetworkSettings": {"Networks": {"n": {"IPAddress": one.address}}}}
                for one in self.containers
            ]
        if path == "/api/version":
            return 200, {"startDate": self.begun.replace("00Z", f"0{self._life}Z")}
        if path == SERVICE:
            return self._service()
        identity = path.split("/")[2]
        one = next((one for one in self.containers if one.id == identity), None)
        if one is None:
            return 404, {"message": f"No such container: {identity}"}
        if method == "PUT":
            return self._pull(one, body)
        return (200, _packed(one.cord)) if "/archive" in path else (200, _inspected(one))

    def _service(self) -> tuple[int, Any]:
        """A service without servers is none."""
        if not self.listed:
            return 404, {"message": "service not found: web-shop@docker"}
        servers = [{"url": f"http://{address}:8080"} for address in self.listed]
        return 200, {"loadBalancer": {"servers": servers}, "status": "enabled"}

    def _pull(self, one: Container, body: bytes) -> tuple[int, Any]:
        if self.refuses:
            return 403, {"message": "container rootfs is marked read-only"}
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            (entry,) = tar.getmembers()
            assert entry.name == ".gapless-cord"
            file = tar.extractfile(entry)
            assert file is not None
            one.cord = file.read()
        self.pulls.append(f"{one.id} {'whole' if one.cord else 'cut'}")
        self.change()
        return 200, None


def _packed(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(".gapless-cord")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _inspected(one: Container) -> dict[str, Any]:
    labels = {"gapless.cord": "1"} if one.corded else {}
    labels |= {"gapless.service": "web", "gapless.slot": one.slot} if one.slot else {}
    return {
        "Id": one.id,
        "Name": f"/{one.id}",
        "Config": {"Labels": labels},
        "State": {"Health": {"Status": one.health}},
    }
