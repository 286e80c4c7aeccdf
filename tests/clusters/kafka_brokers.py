"""Three fake brokers on this machine, each at an address of its own; no Kafka is to be had here."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.clusters import kafka_state
from tests.clusters.kafka_state import Facts, State
from tests.ports import free_port, own_address

FAKE = Path(__file__).with_name("kafka_fake.py")
NAMES = ("kafka1", "kafka2", "kafka3")
TOPICS = {"orders": 6, "paid-out": 3}
_PATIENCE = 30.0
_DEATHSIG = 1


class KafkaBrokers:
    """``kafka1`` … are names of the hosts that they are on; the broker's id is the number. Nothing
    runs at first. ``leading``: how many of them lead partitions."""

    def __init__(self, folder: Path, leading: int = 3) -> None:
        self._folder = folder
        self._net = own_address().rpartition(".")[0]
        self.port = free_port(f"{self._net}.1")
        self.state = State(folder)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        ports = {id_of(name): (self.address(name), self.port) for name in NAMES}
        self.state.create(kafka_state.three(ports, TOPICS, leading))

    def begin(self) -> None:
        """All of them answer."""
        for name in NAMES:
            self.start(name)
        self.wait(lambda facts: all(facts["started"].values()), "three brokers")

    def address(self, name: str) -> str:
        """That of a host."""
        return f"{self._net}.{id_of(name)}"

    def argv(self, name: str) -> list[str]:
        return [sys.executable, str(FAKE), str(self._folder), id_of(name)]

    def start(self, name: str) -> None:
        """In the main thread: the kernel ends it with the thread that started it."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self.argv(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_ends_with_us,
            )  # fmt: skip

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, in order unless another signal says otherwise."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    def end(self) -> None:
        """Everything that was started is gone."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def lie(self, **facts: object) -> None:
        """What the cluster says of itself from now on."""
        with self.state.held() as told:
            told.update(facts)

    def wait(self, condition: Callable[[Facts], object], what: str) -> None:
        until = time.monotonic() + _PATIENCE
        while not condition(self.state.read()):
            assert time.monotonic() < until, f"waited in vain for {what}\n{self._tails()}"
            time.sleep(0.05)

    def _tails(self) -> str:
        logs = self._folder.glob("*.log")
        return "\n".join(f"{path.name}: {path.read_text()[-800:]}" for path in logs)


def id_of(name: str) -> str:
    """Of the broker on this host."""
    return name.removeprefix("kafka")


def well(facts: Facts) -> bool:
    """All in sync, and each partition led by its preferred leader."""
    return all(
        len(one["isr"]) == 3 and one["leader"] == one["replicas"][0]
        for one in facts["partitions"].values()
    )


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(_DEATHSIG, signal.SIGKILL)
