"""A real etcd of one member, spoken to without gapless."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port, own_address

PROGRAM = shutil.which("etcd")


def need_etcd() -> None:
    """Skip without the program, unless everything has to run."""
    if PROGRAM is None:
        missing = "etcd is not installed (apt-get install etcd-server)"
        if os.environ.get("GAPLESS_LAB") == "required":
            pytest.fail(missing)
        pytest.skip(missing)


class Etcd:
    """One process; keys are told and read as text."""

    def __init__(self, folder: Path) -> None:
        need_etcd()
        self._folder = folder
        address = own_address()
        self.url = f"http://{address}:{free_port(address)}"
        self._peers = f"http://{address}:{free_port(address)}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, secured: bool = False) -> None:
        """Return when it answers; ``secured``: when it wants to know who asks."""
        assert PROGRAM
        argv = [PROGRAM, "--data-dir", str(self._folder / "data")]
        argv += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        argv += ["--listen-peer-urls", self._peers, "--initial-advertise-peer-urls", self._peers]
        argv += ["--initial-cluster", f"default={self._peers}"]
        argv += ["--heartbeat-interval", "20", "--election-timeout", "100"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while self._status() != (400 if secured else 200):
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def put(self, key: str, value: str) -> None:
        self.call("/v3/kv/put", {"key": packed(key), "value": packed(value)})

    def delete(self, key: str) -> None:
        self.call("/v3/kv/deleterange", {"key": packed(key)})

    def get(self, key: str) -> str:
        return self.folder(key)[key]

    def folder(self, prefix: str) -> dict[str, str]:
        asked = {"key": packed(prefix), "range_end": packed(prefix + "\x7f")}
        found = self.call("/v3/kv/range", asked).get("kvs", [])
        return {unpacked(kv["key"]): unpacked(kv.get("value", "")) for kv in found}

    def call(self, path: str, data: Any) -> dict[str, Any]:
        asked = urllib.request.Request(self.url + path, json.dumps(data).encode())
        with urllib.request.urlopen(asked, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _status(self) -> int:
        """Of a question to the quorum."""
        try:
            self.call("/v3/kv/range", {"key": packed("x")})
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
        return 200


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def unpacked(text: str) -> str:
    return base64.b64decode(text).decode()
