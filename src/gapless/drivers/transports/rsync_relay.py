"""What rsync takes for ssh: hands its command line and streams to gapless over a unix socket.

A program of its own (``python -I -S rsync_relay.py SOCKET HOST rsync --server …``), started once
for each push, so it imports little. Towards gapless: a line of JSON with the argv, then rsync's
bytes. Back: frames of a kind (o stdout, e stderr, x exit status), a length, and bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import threading

CHUNK = 1 << 17
HEADER = struct.Struct(">cI")


def frame(kind: bytes, data: bytes) -> bytes:
    """One piece of what comes back."""
    return HEADER.pack(kind, len(data)) + data


def main(argv: list[str]) -> int:
    """Carry bytes until the other side says how it ended; the exit status."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(argv[1])
    connection.sendall(json.dumps(argv[3:]).encode() + b"\n")
    threading.Thread(target=_carry_out, args=(connection,), daemon=True).start()
    with connection.makefile("rb") as stream:
        while True:
            header = stream.read(HEADER.size)
            if len(header) < HEADER.size:
                return 255
            kind, length = HEADER.unpack(header)
            data = stream.read(length)
            if kind == b"x":
                return int(data)
            _write(1 if kind == b"o" else 2, data)


def _carry_out(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = os.read(0, CHUNK)
            if not data:
                connection.shutdown(socket.SHUT_WR)
                return
            connection.sendall(data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv))
