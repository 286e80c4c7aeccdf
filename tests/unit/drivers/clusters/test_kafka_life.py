"""What names the process of a broker of Kafka: the socket that it listens at."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from gapless.drivers.clusters.kafka_life import began, question

from .kafka_words import BOOT

TAIL = "00000000:00000000 00:00000000 00000000  1000        0"


def line(place: str, inode: int, port: str = "2384", state: str = "0A") -> str:
    nobody = "0" * len(place)
    return (
        f"   0: {place}:{port} {nobody}:0000 {state} {TAIL} {inode} 1 0000000000000000 100 0 0 10 0"
    )


HERE, OTHER = "0100007F", "0200007F"
MAPPED = "0000000000000000FFFF00000100007F"
IPV6 = "B80D0120000000000000000001000000"


@pytest.mark.parametrize(
    ("address", "lines", "inode"),
    [
        ("127.0.0.1:9092", [line(HERE, 7)], "7"),
        ("127.0.0.1:9092", [line(OTHER, 8), line(HERE, 7)], "7"),
        ("127.0.0.1:9092", [line(MAPPED, 7)], "7"),
        ("[2001:db8::1]:9092", [line(IPV6, 7)], "7"),
        ("127.0.0.1:9092", [line("0" * 32, 9)], "9"),
        ("kafka1.example:9092", [line("00000000", 9)], "9"),
        ("kafka1.example:9092", [line("00000000", 9), line("0" * 32, 10)], ""),
        ("127.0.0.1:9092", [line(HERE, 7), line(MAPPED, 8)], ""),
        ("127.0.0.1:9092", [line(HERE, 7, port="2385")], ""),
        ("127.0.0.1:9092", [line(HERE, 7, state="01")], ""),
        ("127.0.0.1:9092", [line(OTHER, 7)], ""),
        ("127.0.0.1:9092", [], ""),
    ],
)
def test_the_socket_at_its_address_or_at_all(address: str, lines: list[str], inode: str) -> None:
    told = began(address, "\n".join([BOOT, *lines]))
    assert told == (f"socket {inode} of boot {BOOT}" if inode else "")


def test_without_the_boot_a_number_names_nothing() -> None:
    assert began("127.0.0.1:9092", line(HERE, 7)) == ""


def test_the_kernel_here_tells_it_and_each_socket_has_another_name() -> None:
    names = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            done = subprocess.run(question(address), capture_output=True, text=True, check=False)
            names.append(began(address, done.stdout))
            assert f"socket {os.fstat(server.fileno()).st_ino} " in names[-1]
    assert names[0] != names[1]
