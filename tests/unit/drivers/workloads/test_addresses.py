"""Where clients go, and to whom next."""

from __future__ import annotations

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.workloads.addresses import Addresses, Turns

KNOWN = {
    "etcd1.shop.example": HostConfig(),
    "etcd2": HostConfig(address="10.0.0.2"),
    "etcd3": HostConfig(address="fd00::3"),
    "here": HostConfig(transport="local"),
}


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            "http://127.0.0.1:2379",
            [
                "http://etcd1.shop.example:2379",
                "http://10.0.0.2:2379",
                "http://[fd00::3]:2379",
                "http://127.0.0.1:2379",
            ],
        ),
        ("localhost:6379", ["etcd1.shop.example:6379", "10.0.0.2:6379", "[fd00::3]:6379",
                            "localhost:6379"]),
        ("[::1]:4222", ["etcd1.shop.example:4222", "10.0.0.2:4222", "[fd00::3]:4222",
                        "[::1]:4222"]),
        ("https://{name}.example:1", ["https://etcd1.example:1", "https://etcd2.example:1",
                                      "https://etcd3.example:1", "https://here.example:1"]),
        ("{address}:5432", ["etcd1.shop.example:5432", "10.0.0.2:5432", "fd00::3:5432",
                            "here:5432"]),
        ("unix:/run/x.sock", ["unix:/run/x.sock"] * 4),
    ],
)  # fmt: skip
def test_a_loopback_address_of_another_machine_is_that_machine(
    template: str, told: list[str]
) -> None:
    assert list(Addresses("store", KNOWN, KNOWN)(template)) == told


def test_sentinels_may_be_elsewhere() -> None:
    addresses = Addresses("store", ["etcd2"], KNOWN)
    assert addresses("127.0.0.1:26379", ["etcd1.shop.example"]) == ("etcd1.shop.example:26379",)
    assert addresses.count() == 1


def test_of_several_complaints_about_one_the_first_is_enough() -> None:
    turns = Turns(["a", "b", "a", "c"])
    assert turns.now == "a"
    turns.leave("a")
    turns.leave("a")
    assert turns.now == "b" and str(turns) == "a, b, c"
    turns.leave("b")
    turns.leave("c")
    assert turns.now == "a"
