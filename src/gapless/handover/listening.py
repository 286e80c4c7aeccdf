"""Where control is served: a socket in the folder, and where asked for a loopback address."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path


def loopback(text: str) -> tuple[str, int] | None:
    """``127.0.0.1:8080`` or ``[::1]:8080``; None for what is no address of this host alone."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (host, int(port)) if address.is_loopback else None


def unix_listener(folder: Path, name: str) -> socket.socket:
    """A listening socket of mode 0600 at ``folder/name``, in place of what was there.

    It gets its name when nobody else can connect any more, and the folder may have a long path: the
    kernel takes 107 bytes of it. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    inside = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    fresh = f".{name[:40]}.{os.urandom(4).hex()}"
    try:
        listener.bind(f"/proc/self/fd/{inside}/{fresh}")
        os.chmod(fresh, 0o600, dir_fd=inside)
        listener.listen(64)
        os.rename(fresh, name, src_dir_fd=inside, dst_dir_fd=inside)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(inside)
    return listener


def tcp_listener(address: tuple[str, int]) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    return listener
