"""Consul agents as far as their HTTP API matters here, with answers in the shapes of 1.17.

It was not compared with a real Consul: what it answers is written down from what Consul's API
answers. Agents of one ``Datacenter`` share a catalog, which learns of a change a moment later.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SYNC = 0.05
"""Seconds from an agent to the catalog, and between checks."""


@dataclass
class Registered:
    """One service at one agent."""

    id: str
    service: str
    healthy: bool = True
    checked: bool = True
    reason: str | None = None
    """Of its maintenance, None when it is in none."""
    index: int = 1

    def checks(self, node: str) -> list[dict[str, Any]]:
        status = "passing" if self.healthy and self.checked else "critical"
        output = "HTTP GET http://localhost:3001/health: 200 OK" if self.healthy else "503"
        found = [
            _check(
                node, "serfHealth", "Serf Health Status", "passing", "Agent alive and reachable"
            ),
            {
                **_check(node, f"service:{self.id}", "health", status, output),
                "ServiceID": self.id,
                "ServiceName": self.service,
                "Type": "http",
            },
        ]
        if self.reason is not None:
            name = "Service Maintenance Mode"
            check = _check(node, f"_service_maintenance:{self.id}", name, "critical", "")
            found.append(
                {
                    **check,
                    "Notes": self.reason,
                    "ServiceID": self.id,
                    "Type": "maintenance",
                    "ModifyIndex": self.index,
                }
            )
        return found


def _check(node: str, id_: str, name: str, status: str, output: str) -> dict[str, Any]:
    return {
        "Node": node,
        "CheckID": id_,
        "Name": name,
        "Status": status,
        "Notes": "",
        "Output": output,
        "ServiceID": "",
        "ServiceName": "",
        "ServiceTags": [],
        "Type": "",
        "Interval": "",
        "Timeout": "",
        "ExposedPort": 0,
        "Definition": {},
        "CreateIndex": 10,
        "ModifyIndex": 10,
    }


@dataclass
class Datacenter:
    """The catalog: what DNS and API tell clients."""

    known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Node to its entries."""
    leader: bool = True

    def entries(self, service: str) -> list[dict[str, Any]]:
        return [
            e for node in self.known.values() for e in node if e["Service"]["Service"] == service
        ]


class Agent:
    """One agent. ``token``: what it wants to be shown before it obeys."""

    def __init__(self, node: str, datacenter: Datacenter, services: list[Registered]) -> None:
        self.node = node
        self.datacenter = datacenter
        self.services = {one.id: one for one in services}
        self.token = ""
        self.refuses = False
        self.says = b""
        self.node_maintenance = False
        self.orders: list[str] = []

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.sync()
        self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        self._server.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def restart(self) -> None:
        """A process that knows its configuration only: checks begin critical."""
        await self.stop()
        for one in self.services.values():
            one.reason, one.checked = None, False
        await self.start(self.port)

    def passing(self) -> list[str]:
        """IDs of its own that clients are given."""
        return [
            entry["Service"]["ID"]
            for entry in self.datacenter.known.get(self.node, [])
            if all(check["Status"] == "passing" for check in entry["Checks"])
        ]

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(SYNC)
            self.sync()
            for one in self.services.values():
                one.checked = True

    def sync(self) -> None:
        """Tell the catalog."""
        node = [_check(self.node, "_node_maintenance", "Node Maintenance Mode", "critical", "")]
        self.datacenter.known[self.node] = [
            {
                "Node": {"ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Node": self.node,
                         "Address": "127.0.0.1", "Datacenter": "dc1", "Meta": {}},
                "Service": {"ID": one.id, "Service": one.service, "Tags": [], "Address": "",
                            "Port": 3001, "Weights": {"Passing": 1, "Warning": 1}},
                "Checks": one.checks(self.node) + (node if self.node_maintenance else []),
            }
            for one in self.services.values()
        ]  # fmt: skip

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split(" ", 2)
            status, body = self._answer(method, target, head)
            body = self.says or body
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nX-Consul-Index: 12\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()

    def _answer(self, method: str, target: str, head: str) -> tuple[int, bytes]:
        url = urlsplit(target)
        parts = [unquote(part) for part in url.path.split("/")[2:]]
        shown = f"X-Consul-Token: {self.token}\r\n" in head
        if self.token and not shown:
            return 403, b"Permission denied: anonymous token lacks permission 'service:write'"
        if method == "GET" and parts == ["agent", "self"]:
            config = {"Datacenter": "dc1", "NodeName": self.node, "Server": False}
            return 200, json.dumps({"Config": {**config, "Version": "1.17.0"}}).encode()
        if not self.datacenter.leader:
            return 500, b"No cluster leader"
        if method == "GET" and parts[:2] == ["health", "service"]:
            return 200, json.dumps(self.datacenter.entries(parts[2])).encode()
        if method == "PUT" and parts[:3] == ["agent", "service", "maintenance"]:
            return self._maintain(parts[3], parse_qs(url.query))
        return 404, b"404 page not found"

    def _maintain(self, id_: str, query: dict[str, list[str]]) -> tuple[int, bytes]:
        if self.refuses:
            return 403, b"Permission denied: token lacks permission 'service:write' on \"shop\""
        if query.get("enable", [""])[0] not in ("true", "false"):
            return 400, b"Missing value for enable"
        one = self.services.get(id_)
        if one is None:
            return 404, f'Unknown service ID "{id_}". Ensure that the service ID is passed'.encode()
        self.orders.append(f"{id_} {query['enable'][0]}")
        if query["enable"] == ["false"]:
            one.reason = None
        elif one.reason is None:
            one.reason, one.index = query.get("reason", [""])[0], one.index + 1
        return 200, b""
